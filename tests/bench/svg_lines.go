package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A lineChart shows how a figure of some servers grows.
type lineChart struct {
	title, unit, along string
	x                  []float64
	lines              []growthLine
	notes              []string
}

// A growthLine is one server; a figure that is not known is NaN.
type growthLine struct {
	name             string
	value, low, high []float64 // by x
	own              bool
}

// growthChart makes a chart of rows whose names end in a number.
func growthChart(g growth, rows []row, b bench) lineChart {
	along := strings.TrimSuffix(g.prefix, "-")
	c := lineChart{
		title: fmt.Sprintf("CPU of a request by the number of %s", along), unit: unitOf(rows[0].workload), along: along,
		notes: []string{
			fmt.Sprintf("Medians of %d rounds, and the middle half.", len(rows[0].samples[reference])), madeOn(), versionsOf(rows[0], b),
		},
	}
	for i, name := range rows[0].names {
		if i != twin {
			c.lines = append(c.lines, growthLine{name: name, own: i == reference})
		}
	}
	for _, r := range rows {
		x, err := strconv.ParseFloat(strings.TrimPrefix(r.workload.name, g.prefix), 64)
		if err != nil {
			continue
		}
		c.x = append(c.x, x)
		for i := range c.lines {
			l := &c.lines[i]
			var values []float64
			if at := slices.Index(r.names, l.name); at >= 0 {
				values = figuresOf(r, at)
			}
			l.value = append(l.value, median(values))
			l.low, l.high = append(l.low, quantile(values, 0.25)), append(l.high, quantile(values, 0.75))
		}
	}
	return c
}

// drawLines draws a line for each server over a logarithmic axis.
func drawLines(c lineChart) string {
	var d drawing
	d.height = margin / 2
	d.paragraph(titleSize, "", c.title)
	d.paragraph(textSize, "soft", c.unit)
	d.height += margin / 2
	const tall, names = 260.0, 150.0 // of the plot; right of it
	most := 0.0
	for _, l := range c.lines {
		for _, value := range slices.Concat(l.value, l.high) {
			if !math.IsNaN(value) {
				most = max(most, value)
			}
		}
	}
	scale := ticks(most)
	left, right, top, bottom := margin+40, drawingWidth-margin-names, d.height, d.height+tall
	from, to := math.Log10(slices.Min(c.x)), math.Log10(slices.Max(c.x))
	atX := func(x float64) float64 { return left + (right-left)*(math.Log10(x)-from)/max(to-from, 0.1) }
	atY := func(y float64) float64 { return bottom - (bottom-top)*y/scale[len(scale)-1] }
	for _, value := range scale {
		d.stroke(left, atY(value), right, atY(value), "grid")
		d.write(left-8, atY(value)+noteSize*0.35, noteSize, "soft", "end", plain(value))
	}
	for _, x := range c.x {
		d.write(atX(x), bottom+noteSize*lineHeight, noteSize, "soft", "middle", plain(x))
	}
	d.write(right+24, bottom+noteSize*lineHeight, noteSize, "soft", "start", c.along)
	for _, l := range c.lines {
		d.line(l, c.x, atX, atY)
	}
	d.lineNames(c.lines, right+12, atY)
	d.height = bottom + 2*noteSize*lineHeight
	d.paragraph(noteSize, "soft", c.notes...)
	return d.finish(c.title)
}

func (d *drawing) line(l growthLine, xs []float64, atX, atY func(float64) float64) {
	own := ""
	if l.own {
		own = " own"
	}
	var points []string
	for i, x := range xs {
		if math.IsNaN(l.value[i]) {
			continue
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", atX(x), atY(l.value[i])))
		d.stroke(atX(x), atY(l.low[i]), atX(x), atY(l.high[i]), "whisker")
		fmt.Fprintf(&d.text, `<circle cx="%.1f" cy="%.1f" r="3.5" class="point%s"/>`+"\n", atX(x), atY(l.value[i]), own)
	}
	fmt.Fprintf(&d.text, `<polyline points="%s" stroke-width="2" class="line%s"/>`+"\n", strings.Join(points, " "), own)
}

// lineNames writes each name at the end of its line, and below the one before where they would meet.
func (d *drawing) lineNames(lines []growthLine, x float64, atY func(float64) float64) {
	last := func(l growthLine) float64 {
		for _, value := range slices.Backward(l.value) {
			if !math.IsNaN(value) {
				return value
			}
		}
		return 0
	}
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b growthLine) int { return int(math.Copysign(1, last(b)-last(a))) })
	lowest := math.Inf(-1)
	for _, l := range lines {
		y := max(atY(last(l))+textSize*0.35, lowest+textSize*1.2)
		d.write(x, y, textSize, "", "start", l.name)
		lowest = y
	}
}
