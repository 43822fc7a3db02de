package listing
import ("testing";"fmt";"os";"time";"strings")
func TestShots(t *testing.T) {
	b := newBrowser(t); 
	for _, n := range strings.Fields(os.Getenv("VARIANTS")) {
	p := b.page()
	p.look(1280,800,"light")
	p.do("Performance.enable", object{"timeDomain":"threadTicks"})
	s := time.Now()
	p.open("file:///tmp/listing/v_"+n+".html"); p.frame(); fmt.Println(n, "load", time.Since(s)); s=time.Now()
	var m struct{Metrics []struct{Name string; Value float64}}
	p.call(p.session, "Performance.getMetrics", object{}, &m)
	for _, x := range m.Metrics { if strings.HasSuffix(x.Name,"Duration") && x.Value>0.01 { fmt.Printf("   %s %.2f", x.Name, x.Value) } }
	fmt.Println()
	}
}
