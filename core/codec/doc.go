// Package codec reads what a codec's headers tell people of a stream: its size
// in pixels, its profile, its sample rate and its channels. Bytes in, values
// out; it is called when a stream starts or its headers change, not per frame.
package codec
