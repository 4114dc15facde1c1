// Command dockerlint checks Dockerfiles and compose files without an engine: it reads
// them with the parsers that BuildKit and Docker Compose themselves use, and then looks
// whether the files that they copy or mount are there. It cannot tell whether the base
// images exist or whether the commands in the build succeed.
//
//	dockerlint -context DIR FILE...
//
// A FILE that ends in .yaml or .yml is a compose file; DIR is the build context of the
// Dockerfiles. The exit status is 1 when there is a problem and 2 on wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("context", ".", "build context of the Dockerfiles")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	status := 0
	for _, file := range flag.Args() {
		problems := check(context.Background(), *dir, file)
		for _, p := range problems {
			fmt.Printf("%s: %s\n", file, p)
			status = 1
		}
		if len(problems) == 0 {
			fmt.Printf("%s: parses, and what it copies or mounts is there\n", file)
		}
	}
	os.Exit(status)
}

// check returns what is wrong with one file.
func check(ctx context.Context, dir, file string) []string {
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		return checkCompose(ctx, file)
	}
	return checkDockerfile(dir, file)
}
