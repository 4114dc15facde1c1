package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// compile returns the file's descriptor with its comments, and it with all
// that it imports, in the order in which generators want them.
func compile(ctx context.Context, dir string) (*descriptorpb.FileDescriptorProto, []*descriptorpb.FileDescriptorProto, error) {
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := c.Compile(ctx, source)
	if err != nil {
		return nil, nil, fmt.Errorf("compile: %w", err)
	}
	var all []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		all = append(all, protoutil.ProtoFromFileDescriptor(f))
	}
	add(files[0])
	return all[len(all)-1], all, nil
}

// generators are the tools of this module that make code, with their options.
var generators = []struct{ tool, parameter string }{
	{"protoc-gen-go", "paths=source_relative"},
	{"protoc-gen-go-grpc", "paths=source_relative"},
}

// generate returns the code by file name.
func generate(ctx context.Context, all []*descriptorpb.FileDescriptorProto) (map[string][]byte, error) {
	code := map[string][]byte{}
	for _, g := range generators {
		request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
			FileToGenerate: []string{source}, Parameter: proto.String(g.parameter), ProtoFile: all,
		})
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "go", "tool", g.tool)
		cmd.Stdin = bytes.NewReader(request)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("run %s: %w: %s", g.tool, err, stderr.Bytes())
		}
		response := &pluginpb.CodeGeneratorResponse{}
		if err := proto.Unmarshal(out, response); err != nil {
			return nil, fmt.Errorf("run %s: %w", g.tool, err)
		}
		if response.Error != nil {
			return nil, fmt.Errorf("run %s: %s", g.tool, *response.Error)
		}
		for _, f := range response.File {
			code[f.GetName()] = []byte(f.GetContent())
		}
	}
	return code, nil
}
