package hls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// cipherState is a segment's encryption where a chunk ends: the last block of
// what is written, and the bytes that did not fill a block yet.
type cipherState struct {
	IV   []byte `json:"iv,omitempty"`
	Tail []byte `json:"tail,omitempty"`
}

// encryptor is AES-128 in CBC mode with PKCS #7 padding at the segment's end
// (RFC 8216, 4.3.2.4).
type encryptor struct {
	block cipher.Block
	state cipherState
}

// newEncryptor begins a segment: its number is the IV (RFC 8216, 5.2).
func newEncryptor(key []byte, number int64) (*encryptor, error) {
	iv := make([]byte, aes.BlockSize)
	binary.BigEndian.PutUint64(iv[8:], uint64(number))
	return goOnEncrypting(key, cipherState{IV: iv})
}

func goOnEncrypting(key []byte, state cipherState) (*encryptor, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the key: %w", err)
	}
	return &encryptor{block: block, state: state}, nil
}

// write returns what can be written of pieces, in a slice of its own.
func (e *encryptor) write(pieces [][]byte) []byte {
	plain := join(append([][]byte{e.state.Tail}, pieces...))
	n := len(plain) / aes.BlockSize * aes.BlockSize
	e.state.Tail = append([]byte(nil), plain[n:]...)
	return e.encrypt(plain[:n])
}

// finish returns the last block.
func (e *encryptor) finish() []byte {
	pad := aes.BlockSize - len(e.state.Tail)
	last := append([]byte(nil), e.state.Tail...)
	for range pad {
		last = append(last, byte(pad))
	}
	e.state.Tail = nil
	return e.encrypt(last)
}

func (e *encryptor) encrypt(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	cipher.NewCBCEncrypter(e.block, e.state.IV).CryptBlocks(b, b)
	e.state.IV = append([]byte(nil), b[len(b)-aes.BlockSize:]...)
	return b
}
