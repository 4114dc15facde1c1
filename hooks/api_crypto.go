package hooks

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// hashFunc makes a hash; its methods are those of the standard library.
type hashFunc func() hash.Hash

var (
	hmacMD5    hashFunc = md5.New
	hmacSHA1   hashFunc = sha1.New
	hmacSHA256 hashFunc = sha256.New
)

// maxKept is how long the key is at most that hmac keeps.
const maxKept = 256

// hmac is hmac_X(key, data, form): see pushSum. A script has one key, mostly,
// and what is made of it serves the next call of this state.
func (st *state) hmac(h hashFunc) lua.LGFunction {
	var kept hash.Hash
	var keptKey string
	return func(L *lua.LState) int {
		key, data := L.CheckString(1), L.CheckString(2)
		st.check(L, st.call.tick((len(key)+len(data))/16))
		m := kept
		if m == nil || key != keptKey {
			if m = hmac.New(h, []byte(key)); len(key) <= maxKept {
				kept, keptKey = m, strings.Clone(key)
			}
		}
		m.Reset()
		m.Write(st.bytesOf(data))
		return pushSum(L, m.Sum(st.sum[:0]), 3)
	}
}

// bytesOf is s until it is called again.
func (st *state) bytesOf(s string) []byte {
	st.bytes = append(st.bytes[:0], s...)
	return st.bytes
}

// digest is X(data, form).
func (st *state) digest(h hashFunc) lua.LGFunction {
	return func(L *lua.LState) int {
		data := L.CheckString(1)
		st.check(L, st.call.tick(len(data)/16))
		d := h()
		d.Write(st.bytesOf(data))
		return pushSum(L, d.Sum(st.sum[:0]), 2)
	}
}

// pushSum pushes a sum in the form that argument arg names: "hex" (lower case,
// the default), "raw", "base64" or "base64url" (without padding).
func pushSum(L *lua.LState, sum []byte, arg int) int {
	var s string
	switch form := L.OptString(arg, "hex"); form {
	case "hex":
		var b [2 * sha256.Size]byte // the longest
		s = string(b[:hex.Encode(b[:], sum)])
	case "raw":
		s = string(sum)
	case "base64":
		s = base64.StdEncoding.EncodeToString(sum)
	case "base64url":
		s = base64.RawURLEncoding.EncodeToString(sum)
	default:
		L.ArgError(arg, `the form must be "hex", "raw", "base64" or "base64url"`)
	}
	L.Push(lua.LString(s))
	return 1
}

// luaEquals compares two texts in a time that does not tell where they differ;
// nil equals nothing, so that a missing parameter is a wrong one.
func luaEquals(L *lua.LState) int {
	a, okA := L.Get(1).(lua.LString)
	b, okB := L.Get(2).(lua.LString)
	same := okA && okB && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
	L.Push(lua.LBool(same))
	return 1
}

func (st *state) base64Encode(L *lua.LState) int {
	s := L.CheckString(1)
	encoding := base64.StdEncoding
	if L.OptString(2, "") == "url" {
		encoding = base64.RawURLEncoding
	}
	st.text(L, encoding.EncodedLen(len(s)))
	L.Push(lua.LString(encoding.EncodeToString([]byte(s))))
	return 1
}

// base64Decode takes both alphabets, padded or not.
func (st *state) base64Decode(L *lua.LState) int {
	s := strings.TrimRight(L.CheckString(1), "=")
	st.text(L, 2*len(s))
	b, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(s))
	if err != nil {
		return fail(L, err)
	}
	L.Push(lua.LString(b))
	return 1
}

func (st *state) hexEncode(L *lua.LState) int {
	s := L.CheckString(1)
	st.text(L, 2*len(s))
	L.Push(lua.LString(hex.EncodeToString([]byte(s))))
	return 1
}

func (st *state) hexDecode(L *lua.LState) int {
	s := L.CheckString(1)
	st.text(L, len(s)/2)
	b, err := hex.DecodeString(s)
	if err != nil {
		return fail(L, err)
	}
	L.Push(lua.LString(b))
	return 1
}
