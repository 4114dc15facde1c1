package conf

// MergeWindow is for how long frames are gathered before they leave together.
type MergeWindow struct {
	Auto  bool     // by the load of the loop, up to merge_window_max
	Fixed Duration // when not Auto; 0 sends each frame at once
}

// UnmarshalText reads "auto" or a Duration.
func (w *MergeWindow) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*w = MergeWindow{Auto: true}
		return nil
	}
	w.Auto = false
	return w.Fixed.UnmarshalText(text)
}

// String returns what UnmarshalText reads back.
func (w MergeWindow) String() string {
	if w.Auto {
		return "auto"
	}
	return w.Fixed.String()
}
