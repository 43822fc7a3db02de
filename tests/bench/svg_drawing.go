package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"unicode/utf8"
)

// Sizes in a drawing, in its own units.
const (
	drawingWidth = 860.0
	margin       = 20.0
	titleSize    = 16.0
	textSize     = 13.0
	noteSize     = 11.0
	lineHeight   = 1.45 // of a text's size
)

// A drawing collects the elements of an SVG file (https://www.w3.org/TR/SVG11/).
type drawing struct {
	text   strings.Builder
	height float64
}

// drawingStyle has the colours for a light and a dark screen.
const drawingStyle = `text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;fill:#1f2328}
.ground{fill:#fff}.grid{stroke:#d8dee4}.soft{fill:#59636e}.whisker{stroke:#1f2328}
.bar{fill:#b4bec9}.base{fill:#8996a3}.own{fill:#1f9d80}.own.base{fill:#14705b}.line{stroke:#7a8794;fill:none}.line.own{stroke:#1f9d80;fill:none}
.point{fill:#7a8794}.point.own{fill:#1f9d80}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.grid{stroke:#30363d}.soft{fill:#9da7b1}.whisker{stroke:#e6edf3}
.bar{fill:#59636e}.base{fill:#7a8794}.own{fill:#26a688}.own.base{fill:#6fd6bd}.line{stroke:#9da7b1}.line.own{stroke:#3fc7a6}
.point{fill:#9da7b1}.point.own{fill:#3fc7a6}}`

// write places a text; anchor is start, middle or end (text-anchor).
func (d *drawing) write(x, y, size float64, class, anchor, text string) {
	fmt.Fprintf(&d.text, `<text x="%.1f" y="%.1f" font-size="%g" class="%s" text-anchor="%s">%s</text>`+"\n",
		x, y, size, class, anchor, html.EscapeString(text))
}

func (d *drawing) box(x, y, width, height float64, class string) {
	fmt.Fprintf(&d.text, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`+"\n", x, y, width, height, class)
}

func (d *drawing) stroke(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.text, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

// paragraph writes lines from the current height down, each wrapped to the width.
func (d *drawing) paragraph(size float64, class string, lines ...string) {
	// As wide as letters are in the widest of the fonts, seen from their height.
	letters := int((drawingWidth - 2*margin) / size / 0.57)
	for _, line := range lines {
		for _, part := range wrap(line, letters) {
			d.height += size * lineHeight
			d.write(margin, d.height, size, class, "start", part)
		}
	}
}

// finish returns the file. title is what it is called where it cannot be seen.
func (d *drawing) finish(title string) string {
	height := d.height + margin
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %.0f" width="%g" height="%.0f" role="img">`+"\n"+
		"<title>%s</title>\n<style>%s</style>\n"+`<rect width="100%%" height="100%%" rx="6" class="ground"/>`+"\n%s</svg>\n",
		drawingWidth, height, drawingWidth, height, html.EscapeString(title), drawingStyle, d.text.String())
}

// wrap breaks a text between words into lines of at most so many letters; a longer word has its own line.
func wrap(text string, letters int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > letters {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// ticks are about five round values from 0 to the first that is not below most.
func ticks(most float64) []float64 {
	if most <= 0 || math.IsNaN(most) || math.IsInf(most, 0) {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(most/5)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if most/(step*factor) <= 5 {
			step *= factor
			break
		}
	}
	values := []float64{0}
	for i := 1; values[len(values)-1] < most; i++ {
		values = append(values, float64(i)*step)
	}
	return values
}

// plain writes the value of a tick without what it does not need.
func plain(value float64) string { return fmt.Sprintf("%.6g", value) }
