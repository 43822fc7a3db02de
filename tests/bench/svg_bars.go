package main

import (
	"unicode/utf8"
)

const (
	barHeight = 20.0
	barStep   = 30.0
)

// drawBars draws one line for each server.
func drawBars(c barChart) string {
	var d drawing
	d.height = margin / 2
	d.paragraph(titleSize, "", c.title)
	d.paragraph(textSize, "soft", c.unit)
	d.height += margin / 2
	names, labels, most := 0, 0, 0.0
	for _, b := range c.bars {
		names = max(names, utf8.RuneCountInString(b.name))
		labels = max(labels, utf8.RuneCountInString(b.label))
		most = max(most, b.value, b.high)
	}
	letter := textSize * 0.58
	left, right := margin+float64(names)*letter+8, drawingWidth-margin-float64(labels)*letter-8
	scale := ticks(most)
	at := func(value float64) float64 { return left + (right-left)*value/scale[len(scale)-1] }
	top := d.height
	bottom := top + float64(len(c.bars))*barStep
	for _, value := range scale {
		d.stroke(at(value), top, at(value), bottom, "grid")
		d.write(at(value), bottom+noteSize*lineHeight, noteSize, "soft", "middle", plain(value))
	}
	for i, b := range c.bars {
		d.bar(b, top+float64(i)*barStep+(barStep-barHeight)/2, left, at)
	}
	d.height = bottom + 2*noteSize*lineHeight
	d.paragraph(noteSize, "soft", c.notes...)
	return d.finish(c.title)
}

// bar draws one whose upper edge is y.
func (d *drawing) bar(b bar, y, left float64, at func(float64) float64) {
	class := "bar"
	if b.own {
		class += " own"
	}
	middle := y + barHeight/2
	d.write(left-8, middle+textSize*0.35, textSize, "", "end", b.name)
	d.box(left, y, at(b.value)-left, barHeight, class)
	if b.base > 0 {
		d.box(left, y, at(b.base)-left, barHeight, class+" base")
	}
	if b.high > b.low {
		d.stroke(at(b.low), middle, at(b.high), middle, "whisker")
		for _, end := range []float64{b.low, b.high} {
			d.stroke(at(end), middle-4, at(end), middle+4, "whisker")
		}
	}
	d.write(at(max(b.value, b.high))+8, middle+textSize*0.35, textSize, "", "start", b.label)
}
