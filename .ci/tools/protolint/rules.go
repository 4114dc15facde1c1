package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

var (
	snake  = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	pascal = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	upper  = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	humps  = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// Field numbers in descriptor.proto, of which the paths of comments are made.
const (
	fileMessage = 4
	fileEnum    = 5
	fileService = 6
	inner       = 2 // fields of a message, values of an enum, methods of a service
)

// linter looks for breaches of the rules of `buf lint` (STANDARD and COMMENTS)
// that this protocol keeps. Not kept: services end in "Service", the package
// is the folder's path.
type linter struct {
	comments map[string]bool
	problems []string
}

func lint(f *descriptorpb.FileDescriptorProto) []string {
	l := &linter{comments: map[string]bool{}}
	for _, at := range f.GetSourceCodeInfo().GetLocation() {
		if strings.TrimSpace(at.GetLeadingComments()) != "" {
			l.comments[fmt.Sprint(at.Path)] = true
		}
	}
	if !regexp.MustCompile(`^[a-z.]+\.v[1-9][0-9]*$`).MatchString(f.GetPackage()) {
		l.note(f.GetPackage(), "a package's last part is its version")
	}
	for i, m := range f.MessageType {
		l.message(m, int32(i))
	}
	for i, e := range f.EnumType {
		l.enum(e, int32(i))
	}
	used := map[string]string{}
	for i, s := range f.Service {
		l.service(s, int32(i), used)
	}
	return l.problems
}

func (l *linter) note(name, problem string) { l.problems = append(l.problems, name+": "+problem) }

func (l *linter) named(name string, form *regexp.Regexp, path ...int32) {
	if !form.MatchString(name[strings.LastIndex(name, ".")+1:]) {
		l.note(name, "not of the form "+form.String())
	}
	if !l.comments[fmt.Sprint(path)] {
		l.note(name, "not documented")
	}
}

func (l *linter) message(m *descriptorpb.DescriptorProto, i int32) {
	l.named(m.GetName(), pascal, fileMessage, i)
	for j, field := range m.Field {
		l.named(m.GetName()+"."+field.GetName(), snake, fileMessage, i, inner, int32(j))
	}
	if slices.ContainsFunc(m.NestedType, func(n *descriptorpb.DescriptorProto) bool { return !n.GetOptions().GetMapEntry() }) || len(m.EnumType) > 0 {
		l.note(m.GetName(), "types are not nested")
	}
}

func (l *linter) enum(e *descriptorpb.EnumDescriptorProto, i int32) {
	l.named(e.GetName(), pascal, fileEnum, i)
	prefix := strings.ToUpper(humps.ReplaceAllString(e.GetName(), "${1}_$2")) + "_"
	for j, v := range e.Value {
		l.named(e.GetName()+"."+v.GetName(), upper, fileEnum, i, inner, int32(j))
		if !strings.HasPrefix(v.GetName(), prefix) {
			l.note(v.GetName(), "does not begin with "+prefix)
		}
	}
	if e.Value[0].GetName() != prefix+"UNSPECIFIED" || e.Value[0].GetNumber() != 0 {
		l.note(e.GetName(), "0 is not "+prefix+"UNSPECIFIED")
	}
}

func (l *linter) service(s *descriptorpb.ServiceDescriptorProto, i int32, used map[string]string) {
	l.named(s.GetName(), pascal, fileService, i)
	for j, m := range s.Method {
		name := s.GetName() + "." + m.GetName()
		l.named(name, pascal, fileService, i, inner, int32(j))
		for suffix, kind := range map[string]string{"Request": m.GetInputType(), "Response": m.GetOutputType()} {
			if !strings.HasSuffix(kind, "."+m.GetName()+suffix) {
				l.note(name, kind+" is not called "+m.GetName()+suffix)
			}
			if other := used[kind]; other != "" {
				l.note(name, kind+" is "+other+"'s, too")
			}
			used[kind] = name
		}
	}
}
