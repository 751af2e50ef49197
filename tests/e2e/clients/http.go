// http METHOD URL: a request by Go's own client, which does not look at certificates.
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
)

func main() {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	request, err := http.NewRequest(os.Args[1], os.Args[2], nil)
	if err == nil {
		_, err = client.Do(request)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("done")
}
