package netloop

// inbox is a list that is added to and taken as a whole, under a lock of its
// owner's. Two arrays take turns, so that a loop that wakes for each frame
// allocates nothing once they have grown.
type inbox[T any] struct{ all, spare []T }

func (b *inbox[T]) add(v T) { b.all = append(b.all, v) }

// take empties the inbox. What it returns is valid until the next take, and is
// to be cleared by then.
func (b *inbox[T]) take() []T {
	taken := b.all
	b.all, b.spare = b.spare[:0], taken
	return taken
}
