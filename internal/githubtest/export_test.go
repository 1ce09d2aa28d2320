package githubtest

// RouteNames are all routes, as the log writes them.
func RouteNames() []string {
	var all []string
	for _, r := range routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}

var (
	Match   = match
	Overlay = overlay
	Prune   = func(whole []byte) error { _, err := prune(whole, routes()); return err }
)
