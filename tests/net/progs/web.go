// A static program with a runtime of its own: Go's HTTP and UDP, without libc.
//
//	web serve PORT [PORT6]  HTTP on every address, two families on one socket
//	web get URL...     prints status, length and the first line of each
//	web echo PORT      UDP: sends every datagram back
//	web ask HOST:PORT N  N datagrams to an echo, each answered
//	web lookup NAME    addresses of a name
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func serve(port string) {
	l, err := net.Listen("tcp", ":"+port)
	fail(err)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "from %s, %d bytes\n", r.RemoteAddr, len(body))
		w.Write(bytes.Repeat([]byte("0123456789abcdef"), 1<<14))
	})
	fmt.Println("serving", l.Addr())
	fail(http.Serve(l, nil))
}

func get(urls []string) {
	c := &http.Client{Timeout: 60 * time.Second}
	for _, u := range urls {
		r, err := c.Get(u)
		fail(err)
		b, err := io.ReadAll(r.Body)
		fail(err)
		line, _, _ := bytes.Cut(b, []byte("\n"))
		fmt.Println(r.StatusCode, len(b), string(line))
	}
}

func echo(port string) {
	c, err := net.ListenPacket("udp", ":"+port)
	fail(err)
	fmt.Println("echoing", c.LocalAddr())
	b := make([]byte, 65536)
	for {
		n, from, err := c.ReadFrom(b)
		fail(err)
		_, err = c.WriteTo(b[:n], from)
		fail(err)
	}
}

func ask(to string, count string) {
	n, err := strconv.Atoi(count)
	fail(err)
	c, err := net.Dial("udp", to)
	fail(err)
	b := make([]byte, 2000)
	for i := 0; i < n; i++ {
		text := fmt.Sprint("datagram ", i)
		_, err = c.Write([]byte(text))
		fail(err)
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		k, err := c.Read(b)
		fail(err)
		if string(b[:k]) != text {
			fail(fmt.Errorf("%q came back as %q", text, b[:k]))
		}
	}
	fmt.Println(n, "answers from", c.RemoteAddr())
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "get":
		get(os.Args[2:])
	case "echo":
		echo(os.Args[2])
	case "ask":
		ask(os.Args[2], os.Args[3])
	case "lookup":
		a, err := net.LookupHost(os.Args[2])
		fail(err)
		fmt.Println(a)
	}
}
