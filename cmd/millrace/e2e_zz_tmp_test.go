package main_test
import ("testing";"net/http";"net/http/httptest"; "github.com/chromedp/chromedp"; "time"; "os"; "io")
func TestTmp(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("../../core/web/ui/dist")))
	file := source(t, "av")
	mux.HandleFunc("/live/x.flv", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/x-flv")
		f, _ := os.Open(file); defer f.Close()
		b := make([]byte, 20000)
		for { n, err := f.Read(b); if n > 0 { w.Write(b[:n]); w.(http.Flusher).Flush(); time.Sleep(180*time.Millisecond) }; if err == io.EOF { return } }
	})
	h := httptest.NewServer(mux)
	defer h.Close()
	ctx := startChromium(t)
	begin := time.Now()
	if err := chromedp.Run(ctx, chromedp.Navigate(h.URL+"/?stream=live/x&via=http"), chromedp.WaitReady("#video")); err != nil { t.Fatal(err) }
	first := waitPicture(t, ctx, picture0)
	t.Log(time.Since(begin), first)
	next := waitPicture(t, ctx, func(p pictureState) bool { return p.Time > first.Time+2 && p.Decoded > first.Decoded+40 })
	t.Log(next)
}
