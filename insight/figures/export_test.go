package figures

// SetRecountShare changes when cells are counted anew; 0 = only if they must be.
func (c *Counter) SetRecountShare(n int) { c.share = n }
