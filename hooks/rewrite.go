package hooks

import "github.com/yuin/gopher-lua/ast"

// maxDepth bounds the nesting of a script: the compiler recurses over the
// tree, and a Go stack that overflows ends the process.
const maxDepth = 400

// maxConcat is how many operands of ".." one call takes; registers are few.
const maxConcat = 40

// Globals that stand for ".." and for returning a call. No script can spell
// them as identifiers, so no local shadows them.
const (
	concatName = "(concat)"
	passName   = "(pass)"
)

// rewriter changes a tree before it is compiled. The virtual machine's own ".."
// cannot be bounded (a loop of s = s .. s doubles past all memory within 40
// instructions), so each chain of ".." becomes a call that counts its bytes.
// It also notes where keys are written, for errors in results.
type rewriter struct {
	depth   int
	tooDeep int // line
	line    int // of the last node that had one
	keys    map[string][]int
	needs   []need
}

// chunk rewrites a file and returns the line where it is nested too deeply, or 0.
func (r *rewriter) chunk(stmts []ast.Stmt) int {
	r.block(stmts)
	return r.tooDeep
}

// enter reports whether the walk may go one level deeper; leave undoes it.
func (r *rewriter) enter(line int) bool {
	if line > 0 {
		r.line = line
	}
	if r.depth >= maxDepth {
		if r.tooDeep == 0 {
			r.tooDeep = max(r.line, 1)
		}
		return false
	}
	r.depth++
	return true
}

func (r *rewriter) leave() { r.depth-- }

func (r *rewriter) block(stmts []ast.Stmt) {
	for _, s := range stmts {
		if !r.enter(s.Line()) {
			return
		}
		r.stmt(s)
		r.leave()
	}
}

func (r *rewriter) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		r.exprs(s.Lhs)
		r.exprs(s.Rhs)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Stmts)
	case *ast.RepeatStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Stmts)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Then)
		r.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit, s.Step = r.expr(s.Init), r.expr(s.Limit), r.expr(s.Step)
		r.block(s.Stmts)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		r.block(s.Stmts)
	case *ast.FuncDefStmt:
		s.Name.Func, s.Name.Receiver = r.expr(s.Name.Func), r.expr(s.Name.Receiver)
		r.block(s.Func.Stmts)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
		r.noTailCall(s)
	}
}

func (r *rewriter) exprs(list []ast.Expr) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

// expr rewrites e and what is in it; nil stays nil.
func (r *rewriter) expr(e ast.Expr) ast.Expr {
	if e == nil || !r.enter(e.Line()) {
		return e
	}
	defer r.leave()
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		r.noteKey(e.Key)
		e.Object, e.Key = r.expr(e.Object), r.expr(e.Key)
	case *ast.TableExpr:
		r.fields(e.Fields)
	case *ast.FuncCallExpr:
		r.noteRequire(e)
		e.Func, e.Receiver = r.expr(e.Func), r.expr(e.Receiver)
		r.exprs(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.block(e.Stmts)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	}
	return e
}

func (r *rewriter) fields(fields []*ast.Field) {
	for _, f := range fields {
		r.noteKey(f.Key)
		f.Key, f.Value = r.expr(f.Key), r.expr(f.Value)
	}
}

func (r *rewriter) noteKey(key ast.Expr) {
	if s, ok := key.(*ast.StringExpr); ok {
		line := s.Line()
		if line <= 0 {
			line = r.line
		}
		r.keys[s.Value] = append(r.keys[s.Value], line)
	}
}

func (r *rewriter) noteRequire(e *ast.FuncCallExpr) {
	name, ok := e.Func.(*ast.IdentExpr)
	if !ok || name.Value != "require" || len(e.Args) != 1 {
		return
	}
	if module, ok := e.Args[0].(*ast.StringExpr); ok {
		r.needs = append(r.needs, need{module.Value, r.line})
	}
}

// concat makes a .. b .. c one call. The chain is right associative; its
// operands are evaluated from left to right, as the machine does.
func (r *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var rest ast.Expr = e
	for len(operands) < maxConcat {
		c, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, r.expr(c.Lhs))
		rest = c.Rhs
	}
	operands = append(operands, single(r.expr(rest)))
	call := r.call(concatName, operands, e.Line(), e.LastLine())
	call.AdjustRet = true
	return call
}

// noTailCall makes "return f(x)" an ordinary call, so that the depth of calls
// bounds the stack trace: the library writes a line for each tail call into it,
// a million of them for a loop of tail calls, whenever an error is caught.
func (r *rewriter) noTailCall(s *ast.ReturnStmt) {
	if len(s.Exprs) != 1 {
		return
	}
	if call, ok := s.Exprs[0].(*ast.FuncCallExpr); ok && !call.AdjustRet {
		s.Exprs = []ast.Expr{r.call(passName, []ast.Expr{call}, call.Line(), call.LastLine())}
	}
}

// call makes a call of one of our own functions.
func (r *rewriter) call(global string, args []ast.Expr, line, lastLine int) *ast.FuncCallExpr {
	if line <= 0 {
		line = r.line
	}
	name := &ast.IdentExpr{Value: global}
	call := &ast.FuncCallExpr{Func: name, Args: args}
	name.SetLine(line)
	name.SetLastLine(line)
	call.SetLine(line)
	call.SetLastLine(max(lastLine, line))
	return call
}

// single keeps the last argument of a call from spreading into many.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}
