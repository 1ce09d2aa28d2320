package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

// attacks is what the candidate inside does when the test binary is run as one.
var attacks = map[string]func(args []string){
	"serve": func(args []string) {
		err := http.ListenAndServe("127.0.0.1:"+args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "served from inside")
		}))
		fmt.Println(err)
		os.Exit(1)
	},
	"post": func(args []string) {
		var size int
		fmt.Sscan(args[1], &size)
		resp, err := http.Post(args[0], "text/plain", bytes.NewReader(make([]byte, size)))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(resp.Body)
		fmt.Println(string(body))
	},
}
