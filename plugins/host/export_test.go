package host

// Hold has a plugin's supervisor do nothing until release is called. waits is
// how many things wait for it meanwhile. nil: there is none yet.
func (h *Host) Hold(name string) (waits func() int, release func()) {
	s, err := h.one(name)
	if err != nil {
		return nil, nil
	}
	held, free := make(chan struct{}), make(chan struct{})
	s.post(func() { close(held); <-free })
	<-held
	waits = func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.posts)
	}
	return waits, func() { close(free) }
}

// Stopping reports whether the host has been asked to stop.
func (h *Host) Stopping() bool { return h.ctx.Err() != nil }
