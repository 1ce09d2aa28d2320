// Package gitrepo turns a git repository into what the pipeline works on: a read-only tree at a
// commit, the changes before an alert, a signed commit on a branch of its own. It must not decide
// what is proposed, and it never touches the work tree or the index of a user's repository.
//
// Objects and trees are read and made with go-git. The git program is used where go-git cannot
// do the job: clones that share objects by hard links and keep shallow boundaries, patches as git
// prints them, reachability with commit graphs, and reference updates that respect other git
// processes' locks and storage formats. It runs without the user's hooks, filters and
// configuration; see program.
package gitrepo
