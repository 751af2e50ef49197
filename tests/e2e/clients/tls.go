// tls ADDRESS NAME [spelled] [TEXT...]: a connection by Go's own library, which tells the name and writes each text;
// "spelled": byte by byte, each by a goroutine whose stack is a little deeper.
package main

import (
	"crypto/tls"
	"fmt"
	"os"
)

// Uses up the stack until the write is where it has to grow.
func descend(depth int, write func()) {
	var room [16]byte
	if depth > 0 {
		descend(depth-1, write)
	} else {
		write()
	}
	room[depth%16] = 1
}

func spell(c *tls.Conn, text string) error {
	done := make(chan error)
	for i := range text {
		at := i
		go descend(at, func() {
			_, err := c.Write([]byte{text[at]})
			done <- err
		})
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

func main() {
	c, err := tls.Dial("tcp", os.Args[1], &tls.Config{ServerName: os.Args[2], InsecureSkipVerify: true})
	texts := os.Args[3:]
	if len(texts) == 2 && texts[0] == "spelled" && err == nil {
		err = spell(c, texts[1])
		texts = nil
	}
	for _, text := range texts {
		if err == nil {
			_, err = c.Write([]byte(text))
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	answer := make([]byte, 99)
	n, _ := c.Read(answer)
	fmt.Println(string(answer[:n]))
}
