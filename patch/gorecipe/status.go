package gorecipe

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// statusCond recognises comparisons of a status with a number or constant. bad says that the
// condition holds for failures.
func statusCond(e *ast.BinaryExpr) (bad, known bool) {
	if !isStatus(e.X) {
		return false, false
	}
	code, ok := statusValue(e.Y)
	if !ok {
		return false, false
	}
	if b, ok := unparen(e.X).(*ast.BinaryExpr); ok && b.Op == token.QUO { // resp.StatusCode/100 == 2
		code *= 100
	}
	switch e.Op {
	case token.EQL:
		return code >= 400 || code == 0, true
	case token.NEQ:
		if code >= 400 || code == 0 {
			return false, true
		}
		return true, true
	case token.GEQ, token.GTR:
		return true, code >= 299
	case token.LSS, token.LEQ:
		return false, code >= 299
	}
	return false, false
}

func unparen(e ast.Expr) ast.Expr {
	for {
		p, ok := e.(*ast.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

// isStatus says whether an expression is a response's status by its name.
func isStatus(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isStatus(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.QUO && isStatus(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name == "StatusCode" || e.Sel.Name == "Status"
	case *ast.CallExpr:
		n := callName(e)
		return n == "StatusCode" || n == "Code" || n == "Status"
	case *ast.Ident:
		n := strings.ToLower(e.Name)
		return n == "status" || n == "code" || n == "statuscode"
	}
	return false
}

// statusValue is the number of a status literal, http.StatusX or gRPC code (0 for success there counts as
// 200, every other as 500).
func statusValue(e ast.Expr) (int, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		n, err := strconv.Atoi(e.Value)
		return n, err == nil
	case *ast.SelectorExpr:
		x, _ := e.X.(*ast.Ident)
		if x != nil && x.Name == "codes" {
			if e.Sel.Name == "OK" {
				return 200, true
			}
			return 500, true
		}
		switch n := e.Sel.Name; n {
		case "StatusOK", "StatusCreated", "StatusAccepted", "StatusNoContent":
			return 200, true
		case "StatusMultipleChoices":
			return 300, true
		case "StatusBadRequest":
			return 400, true
		case "StatusInternalServerError":
			return 500, true
		case "StatusTooManyRequests":
			return 429, true
		case "StatusServiceUnavailable":
			return 503, true
		case "StatusBadGateway":
			return 502, true
		case "StatusGatewayTimeout":
			return 504, true
		case "StatusRequestTimeout":
			return 408, true
		}
	}
	return 0, false
}

func badStatus(e ast.Expr) (bad, known bool) {
	n, ok := statusValue(e)
	return n >= 400, ok
}
