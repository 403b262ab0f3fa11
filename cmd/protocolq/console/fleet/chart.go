// Charts as SVG, made on the server: they need no JavaScript.

package fleet

import (
	"strconv"
	"strings"
	"time"
)

// columns is the number of points in a chart. If there are more points, several are averaged into
// one.
const columns = 120

// The size of a chart, in its own coordinates.
const (
	chartWidth  = 600.0
	chartHeight = 120.0
)

// Line is one line of a chart.
type Line struct {
	Name string // the key of its text
	Path string
	Now  float64
}

// Chart is several lines over the same time.
type Chart struct {
	Lines []Line
	Most  float64 // the upper end of the axis
	Span  time.Duration
}

// series is the value of a point that a line shows.
type series struct {
	name string
	of   func(*Point) float64
}

// chart draws lines over the points.
func chart(points []Point, lines ...series) Chart {
	var c Chart
	if len(points) > 1 {
		c.Span = points[len(points)-1].At.Sub(points[0].At)
	}
	drawn := make([][]float64, len(lines))
	for i, l := range lines {
		drawn[i] = thinned(points, l.of)
		for _, v := range drawn[i] {
			c.Most = max(c.Most, v)
		}
	}
	c.Most = roundUp(c.Most)
	for i, l := range lines {
		line := Line{Name: l.name, Path: path(drawn[i], c.Most)}
		if len(points) > 0 {
			line.Now = l.of(&points[len(points)-1])
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

// thinned returns at most columns values, each the mean of equally many points, the newest last.
func thinned(points []Point, of func(*Point) float64) []float64 {
	each := max(1, (len(points)+columns-1)/columns)
	var values []float64
	for from := len(points) % each; from < len(points); from += each {
		var sum float64
		for i := from; i < from+each; i++ {
			sum += of(&points[i])
		}
		values = append(values, sum/float64(each))
	}
	return values
}

// path is a polyline. The newest value is at the right end.
func path(values []float64, most float64) string {
	if len(values) < 2 || most <= 0 {
		return ""
	}
	var b strings.Builder
	step := chartWidth / float64(columns-1)
	for i, v := range values {
		b.WriteByte("ML"[min(i, 1)])
		number(&b, chartWidth-step*float64(len(values)-1-i))
		b.WriteByte(' ')
		number(&b, chartHeight-2-(chartHeight-4)*v/most)
	}
	return b.String()
}

func number(b *strings.Builder, v float64) {
	b.WriteString(strconv.FormatFloat(v, 'f', 1, 64))
}

// roundUp returns the next 1, 2 or 5 with zeros, so that an axis has round numbers.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 0
	}
	for unit := 0.1; ; unit *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if v <= n*unit {
				return n * unit
			}
		}
	}
}
