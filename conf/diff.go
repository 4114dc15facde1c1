package conf

// Change is one key whose value differs between two configurations.
type Change struct {
	Key      string
	Old, New string // as Key.Default; a secret is hidden unless it is empty
	Live     bool   // takes effect by a reload; otherwise the process must start again
}

// Diff returns what changes from old to new, in the order of Keys.
func Diff(old, new Config) []Change {
	var changes []Change
	after := bind(&new)
	for i, before := range bind(&old) {
		if before.field.text() == after[i].field.text() {
			continue
		}
		changes = append(changes, Change{
			Key:  before.name,
			Old:  before.public(),
			New:  after[i].public(),
			Live: before.reload == Live,
		})
	}
	return append(changes, diffPlugins(old.Plugins, new.Plugins)...)
}

// public returns the value as a log may have it.
func (b binding) public() string {
	if text := b.field.text(); !b.secret() || text == "" {
		return text
	}
	return hidden
}
