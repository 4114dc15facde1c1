package amf

// Lookup returns the property of an [*Object] or [ECMAArray] that has a name.
// Of several with one name the last counts, as assigning them in turn would
// have it. No other value has properties.
func Lookup(v any, name string) (any, bool) {
	switch v := v.(type) {
	case *Object:
		return v.Get(name)
	case ECMAArray:
		return v.Get(name)
	}
	return nil, false
}

// Get is [Lookup] on an object. A nil Object has no properties.
func (o *Object) Get(name string) (any, bool) {
	if o == nil {
		return nil, false
	}
	return ECMAArray(o.Props).Get(name)
}

// GetString returns a string property, or "" if it is absent or no string.
func (o *Object) GetString(name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}

// GetNumber returns a number property, and whether there is one.
func (o *Object) GetNumber(name string) (float64, bool) {
	v, _ := o.Get(name)
	n, ok := v.(float64)
	return n, ok
}

// Get is [Lookup] on an array.
func (a ECMAArray) Get(name string) (any, bool) {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i].Name == name {
			return a[i].Value, true
		}
	}
	return nil, false
}

// GetString returns a string property, or "" if it is absent or no string.
func (a ECMAArray) GetString(name string) string {
	v, _ := a.Get(name)
	s, _ := v.(string)
	return s
}

// GetNumber returns a number property, and whether there is one.
func (a ECMAArray) GetNumber(name string) (float64, bool) {
	v, _ := a.Get(name)
	n, ok := v.(float64)
	return n, ok
}
