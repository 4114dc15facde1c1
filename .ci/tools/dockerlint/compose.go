package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// checkCompose loads file as `docker compose config` does, schema included, and looks
// for the Dockerfiles and the bind mounts of its services.
func checkCompose(ctx context.Context, file string) []string {
	options, err := cli.NewProjectOptions([]string{file})
	if err != nil {
		return []string{err.Error()}
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, name := range project.ServiceNames() {
		for _, path := range pathsOf(project.Services[name]) {
			if _, err := os.Stat(path); err != nil {
				problems = append(problems, fmt.Sprintf("service %s: %v", name, err))
			}
		}
	}
	return problems
}

// pathsOf returns the files and folders of this machine that a service needs.
func pathsOf(s types.ServiceConfig) []string {
	var paths []string
	if s.Build != nil {
		dockerfile := s.Build.Dockerfile
		if !filepath.IsAbs(dockerfile) {
			dockerfile = filepath.Join(s.Build.Context, dockerfile)
		}
		paths = append(paths, s.Build.Context, dockerfile)
	}
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind {
			paths = append(paths, v.Source)
		}
	}
	return paths
}
