// tls ADDRESS NAME [TEXT…]: a connection by Go's own library, which tells the name and writes each text.
package main

import (
	"crypto/tls"
	"fmt"
	"os"
)

func main() {
	c, err := tls.Dial("tcp", os.Args[1], &tls.Config{ServerName: os.Args[2], InsecureSkipVerify: true})
	for _, text := range os.Args[3:] {
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
