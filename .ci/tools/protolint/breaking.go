package main

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/descriptorpb"
)

// breaks lists what a program built with the old definition would miss or
// misread in the new one: `buf breaking` with FILE, for a single file.
func breaks(old, now *descriptorpb.FileDescriptorProto) []string {
	before, have := surface(old), surface(now)
	var problems []string
	for _, item := range slices.Sorted(maps.Keys(before)) {
		was := before[item]
		is, ok := have[item]
		switch {
		case !ok:
			problems = append(problems, item+": was released and is gone")
		case is != was:
			problems = append(problems, fmt.Sprintf("%s: was released as %q, is %q", item, was, is))
		}
	}
	return problems
}

// surface describes each thing that others rely on, by its name.
func surface(f *descriptorpb.FileDescriptorProto) map[string]string {
	s := map[string]string{"package": f.GetPackage()}
	for _, m := range f.MessageType {
		addMessage(s, "", m)
	}
	for _, e := range f.EnumType {
		for _, v := range e.Value {
			s[fmt.Sprintf("%s = %d", e.GetName(), v.GetNumber())] = v.GetName()
		}
	}
	for _, service := range f.Service {
		for _, m := range service.Method {
			s[service.GetName()+"."+m.GetName()] = fmt.Sprint(
				m.GetClientStreaming(), " ", m.GetInputType(), " ", m.GetServerStreaming(), " ", m.GetOutputType())
		}
	}
	return s
}

func addMessage(s map[string]string, outer string, m *descriptorpb.DescriptorProto) {
	name := outer + m.GetName()
	s[name] = "message"
	for _, f := range m.Field {
		s[fmt.Sprintf("%s = %d", name, f.GetNumber())] = fmt.Sprint(
			f.GetName(), " ", f.GetLabel(), " ", f.GetType(), " ", f.GetTypeName(), " ", f.GetJsonName(), " ", f.OneofIndex != nil)
	}
	for _, n := range m.NestedType {
		addMessage(s, name+".", n)
	}
}
