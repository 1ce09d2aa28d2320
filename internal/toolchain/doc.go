// Package toolchain turns a language and a working copy into what a sandbox needs in order to build
// and test it without the network and fast: environment, read-only directories, private caches, and
// the commands to use where the repository's configuration names none.
//
// # What is shared and what is private
//
// Installed compilers, interpreters and downloaded dependencies are shown read-only. Everything a
// build writes goes to directories of the case, below Options.Scratch. For Go that would mean
// compiling the standard library and every dependency again for each case, so the go command
// is given this program as its build cache (GOCACHEPROG): it answers from the user's cache, which it can
// only read, and stores in the case's own. Candidate code can spoil the latter alone.
//
// # Fetching
//
// Fetch downloads dependencies before the sandbox closes, on the base commit, with the network
// and a reduced environment. The default commands run nothing of the repository:
//
//   - Go: go list -test -deps ./... downloads the modules that the packages and their tests import.
//   - JavaScript and TypeScript: npm ci --ignore-scripts (or pnpm, yarn) into node_modules of the copy.
//   - Java: mvn dependency:go-offline into ~/.m2/repository. It does not see what plugins load
//     late, such as the surefire provider of JUnit; one mvn test by hand brings those in. Gradle has no
//     such command; its cache ~/.gradle/caches is read as it is.
//   - Python: none. Installing a package may run its code, and where it should go is the user's choice: the
//     environment of the python3 on the PATH is used, or .venv in the user's checkout.
//
// # What it must not do
//
// It must not run candidate code, and not decide when something is built. It must never write to
// a cache of the user's.
package toolchain
