package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// checkDockerfile parses file, and looks for the sources of its COPY instructions in
// dir or among its stages.
func checkDockerfile(dir, file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return []string{err.Error()}
	}
	defer f.Close()
	tree, err := parser.Parse(f)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, w := range tree.Warnings {
		problems = append(problems, w.Short)
	}
	lint := linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, at []parser.Range) {
			problems = append(problems, fmt.Sprintf("line %d: %s: %s", firstLine(at), rule, message))
		},
	})
	stages, _, err := instructions.Parse(tree.AST, lint)
	if err != nil {
		return append(problems, err.Error())
	}
	return append(problems, checkCopies(dir, stages)...)
}

func firstLine(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

func checkCopies(dir string, stages []instructions.Stage) []string {
	var problems []string
	for i, stage := range stages {
		for _, command := range stage.Commands {
			c, ok := command.(*instructions.CopyCommand)
			if !ok {
				continue
			}
			if p := checkCopy(dir, stages[:i], c); p != "" {
				problems = append(problems, fmt.Sprintf("line %d: %s", firstLine(c.Location()), p))
			}
		}
	}
	return problems
}

// checkCopy returns what is wrong with one COPY, or nothing. Only the stages before it
// can be copied from.
func checkCopy(dir string, before []instructions.Stage, c *instructions.CopyCommand) string {
	if c.From != "" {
		if hasStage(before, c.From) {
			return ""
		}
		return fmt.Sprintf("COPY --from=%s: no stage before this one has that name", c.From)
	}
	for _, source := range c.SourcePaths {
		found, err := filepath.Glob(filepath.Join(dir, source))
		if err != nil {
			return fmt.Sprintf("COPY %s: %v", source, err)
		}
		if len(found) == 0 {
			return fmt.Sprintf("COPY %s: not in the build context", source)
		}
	}
	return ""
}

func hasStage(stages []instructions.Stage, name string) bool {
	for i, stage := range stages {
		if strings.EqualFold(stage.Name, name) || strconv.Itoa(i) == name {
			return true
		}
	}
	return false
}
