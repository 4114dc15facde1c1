package hooks

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lua "github.com/yuin/gopher-lua"
)

// jwtOptions are the second argument of jwt.verify and jwt.sign.
type jwtOptions struct {
	alg, key         string
	issuer, audience string
	leeway           time.Duration
	required         bool // of exp
	kid              string
}

// jwtOptionsOf reads them; the algorithm has to be pinned by the caller, since
// the one in the token is the attacker's word (RFC 8725, section 3.1).
func (st *state) jwtOptionsOf(L *lua.LState) (o jwtOptions) {
	t := L.CheckTable(2)
	list, err := entries(t, maxEntries)
	if err != nil {
		L.ArgError(2, err.Error())
	}
	for _, e := range list {
		v := e.value
		switch e.name {
		case "alg":
			o.alg = v.String()
		case "key":
			o.key = v.String()
		case "issuer":
			o.issuer = v.String()
		case "audience":
			o.audience = v.String()
		case "leeway":
			o.leeway = toDuration(float64(lua.LVAsNumber(v)))
		case "require_exp":
			o.required = lua.LVAsBool(v)
		case "kid":
			o.kid = v.String()
		default:
			L.ArgError(2, fmt.Sprintf("there is no option %q", e.name))
		}
	}
	if o.alg == "" || strings.EqualFold(o.alg, "none") {
		L.ArgError(2, `alg must name the algorithm, such as "HS256"; "none" is refused`)
	}
	if o.key == "" {
		L.ArgError(2, "key is missing")
	}
	return o
}

// jwtVerify is jwt.verify(token, {alg=, key=}): its claims, or nil and why not.
func (st *state) jwtVerify(L *lua.LState) int {
	token, ok := L.Get(1).(lua.LString)
	o := st.jwtOptionsOf(L)
	if !ok {
		return fail(L, errors.New("there is no token"))
	}
	// A signature costs as much as some thousand instructions.
	st.check(L, st.call.tick(1000+len(token)/4) && st.call.grow(4*len(token)))
	key, err := jwtKey(o.alg, o.key, false)
	if err != nil {
		L.ArgError(2, err.Error())
	}
	if len(token) > maxValue*4 || jwtDepth(string(token)) > maxJSONDepth {
		return fail(L, errors.New("the token is too long"))
	}
	claims := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(string(token), claims, func(*jwt.Token) (any, error) { return key, nil }, st.parserOptions(o)...)
	if err != nil {
		return fail(L, err)
	}
	L.Push(st.fromJSON(map[string]any(claims)))
	return 1
}

// jwtDepth is at most the nesting of the claims: each level takes a byte, and
// four characters of base64 are three bytes.
func jwtDepth(token string) int {
	parts := strings.Split(token, ".")
	depth := 0
	for _, p := range parts[:min(len(parts), 2)] {
		if b, err := jwt.NewParser().DecodeSegment(p); err == nil {
			depth = max(depth, jsonDepth(string(b)))
		}
	}
	return depth
}

func (st *state) parserOptions(o jwtOptions) []jwt.ParserOption {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{o.alg}), jwt.WithTimeFunc(st.svc.now), jwt.WithLeeway(o.leeway), jwt.WithIssuedAt(),
	}
	if o.issuer != "" {
		options = append(options, jwt.WithIssuer(o.issuer))
	}
	if o.audience != "" {
		options = append(options, jwt.WithAudience(o.audience))
	}
	if o.required {
		options = append(options, jwt.WithExpirationRequired())
	}
	return options
}

// jwtSign is jwt.sign(claims, {alg=, key=, kid=}): the token, or nil and why
// not.
func (st *state) jwtSign(L *lua.LState) int {
	claims := L.CheckTable(1)
	o := st.jwtOptionsOf(L)
	st.check(L, st.call.tick(5000))
	key, err := jwtKey(o.alg, o.key, true)
	if err != nil {
		L.ArgError(2, err.Error())
	}
	value, err := st.toGo(claims)
	if err != nil {
		return fail(L, err)
	}
	m, ok := value.(map[string]any)
	if !ok {
		return fail(L, errors.New("the claims must be a table with names"))
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(o.alg), jwt.MapClaims(m))
	if o.kid != "" {
		token.Header["kid"] = o.kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		return fail(L, err)
	}
	return st.pushString(L, s)
}

// jwtKey turns a key's text into what the algorithm takes: bytes for HS, PEM
// for the others.
func jwtKey(alg, text string, private bool) (any, error) {
	pem := []byte(text)
	switch {
	case jwt.GetSigningMethod(alg) == nil:
	case strings.HasPrefix(alg, "HS"):
		return pem, nil
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return pick(private, pem, jwt.ParseRSAPrivateKeyFromPEM, jwt.ParseRSAPublicKeyFromPEM)
	case strings.HasPrefix(alg, "ES"):
		return pick(private, pem, jwt.ParseECPrivateKeyFromPEM, jwt.ParseECPublicKeyFromPEM)
	case alg == "EdDSA":
		return pick(private, pem, jwt.ParseEdPrivateKeyFromPEM, jwt.ParseEdPublicKeyFromPEM)
	}
	return nil, fmt.Errorf("there is no algorithm %q", alg)
}

func pick[A, B any](private bool, pem []byte, a func([]byte) (A, error), b func([]byte) (B, error)) (crypto.PublicKey, error) {
	if private {
		return a(pem)
	}
	return b(pem)
}
