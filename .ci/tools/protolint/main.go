// Command protolint keeps the plugin protocol: the generated code is up to
// date, the definition is well formed and documented to the last field, and
// nothing of what was released has changed.
//
//	protolint [-write] [-release] DIR
//
// DIR holds plugin.proto, its generated code, and released.binpb, the
// descriptors of what was released. -write generates the code anew, -release
// the descriptors, too; both check as well. The exit status is 1 when there is
// a problem and 2 on wrong usage.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	source   = "plugin.proto"
	released = "released.binpb"
)

func main() {
	write := flag.Bool("write", false, "generate the code anew")
	release := flag.Bool("release", false, "make this the released version")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	problems, err := run(context.Background(), flag.Arg(0), *write, *release)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%s: documented, compatible, and its code is up to date\n", filepath.Join(flag.Arg(0), source))
}

func run(ctx context.Context, dir string, write, release bool) ([]string, error) {
	file, all, err := compile(ctx, dir)
	if err != nil {
		return nil, err
	}
	problems := lint(file)
	old, err := readReleased(dir)
	if err != nil && !release {
		return nil, err
	}
	if old != nil {
		problems = append(problems, breaks(old, file)...)
	}
	if release && len(problems) == 0 {
		if err := writeReleased(dir, file); err != nil {
			return nil, err
		}
	}
	generated, err := generate(ctx, all)
	if err != nil {
		return nil, err
	}
	for name, text := range generated {
		path := filepath.Join(dir, name)
		if write {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return nil, err
			}
		}
		if have, _ := os.ReadFile(path); !bytes.Equal(have, text) {
			problems = append(problems, path+": not what plugin.proto generates; run .ci/proto -write")
		}
	}
	return problems, nil
}

func readReleased(dir string) (*descriptorpb.FileDescriptorProto, error) {
	b, err := os.ReadFile(filepath.Join(dir, released))
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(b, set); err != nil {
		return nil, fmt.Errorf("read %s: %w", released, err)
	}
	if len(set.File) != 1 {
		return nil, fmt.Errorf("read %s: %d files", released, len(set.File))
	}
	return set.File[0], nil
}

func writeReleased(dir string, file *descriptorpb.FileDescriptorProto) error {
	bare := proto.CloneOf(file)
	bare.SourceCodeInfo = nil
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{bare}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, released), b, 0o644)
}
