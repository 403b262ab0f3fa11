// Remember: a stream full of answers, so that the cost of many keys can be seen without asking for each.
package main

func (w *world) remember(*client) (float64, error) { return 0, nil }
