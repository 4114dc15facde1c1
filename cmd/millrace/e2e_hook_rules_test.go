package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// behindProxies is configuration of a server whose second RTMP listener, and
// all of HTTP, are told the client's address by a proxy.
func behindProxies(more conf) conf {
	c := conf{
		"rtmp.listen":          `["127.0.0.1:0", {addr = "127.0.0.1:0", proxy_protocol = true}]`,
		"http.trusted_proxies": `["127.0.0.0/8"]`,
		"stream.play_wait":     `"0s"`,
	}
	return c.and(more)
}

// fromIP is a header of PROXY protocol.
func fromIP(ip string) []byte {
	return []byte("PROXY TCP4 " + ip + " 127.0.0.1 5555 1935\r\n")
}

// publishFrom publishes from another address; a refusal is an error.
func (h *hooked) publishFrom(t *testing.T, ip, path string) error {
	t.Helper()
	p, err := tryPublish(h.rtmp[1], path, fromIP(ip)...)
	if err == nil {
		t.Cleanup(func() { p.Close() })
	}
	return err
}

// wantDescription checks the description of a refusal over RTMP.
func wantDescription(t *testing.T, err error, reason string) {
	t.Helper()
	var r refused
	if !errors.As(err, &r) || !strings.Contains(r.description, reason) {
		t.Errorf("%v, want a refusal with %q", err, reason)
	}
}

// wantAnswer checks status and text of an answer.
func wantAnswer(t *testing.T, res *http.Response, status int, text string) {
	t.Helper()
	wantStatus(t, res, status)
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), text) {
		t.Errorf("%s: %q, %v, want %q", res.Request.URL, body, err, text)
	}
}

// TestExamplePublishKey has an encoder told what is wrong with its key.
func TestExamplePublishKey(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "publish_key.lua"), nil)
	srv.refusedPublish(t, "live/cam1?key=bad", "wrong key")
	srv.refusedPublish(t, "live/x?key=bad", "this stream is not known")
	pub := publishOnce(t, srv.rtmpURL("live/cam1?key=bad"), source(t, "av"), nil, nil)
	if code := pub.wait(t); code == 0 || !strings.Contains(pub.out.String(), "wrong key") {
		t.Errorf("ffmpeg ended with %d and said %s", code, pub.out.String())
	}
	srv.feed(t, "live/cam1?key=s3cret-of-cam1", sourceTags(t, "av"))
	nextThat(t, srv.watch(t, "rtmp", "live/cam1", nil), "a keyframe", tag.isKeyframe)
}

// TestExampleJWT takes the tokens of an identity provider, and only those.
func TestExampleJWT(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "jwt.lua"), conf{"stream.play_wait": `"0s"`})
	sign := func(method jwt.SigningMethod, key any, more jwt.MapClaims) string {
		claims := jwt.MapClaims{
			"aud": "millrace", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(),
			"streams": []string{"live/*"}, "publish": []string{"live/x"},
		}
		for name, value := range more {
			claims[name] = value
		}
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return "?token=" + token
	}
	secret := []byte("change-me-0123456789abcdef012345")
	good := sign(jwt.SigningMethodHS256, secret, nil)
	for name, token := range map[string]string{
		"none":           "",
		"another key":    sign(jwt.SigningMethodHS256, []byte("another-key-0123456789abcdef01234"), nil),
		"algorithm none": sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"another alg":    sign(jwt.SigningMethodHS512, secret, nil),
		"expired":        sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}),
		"another server": sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"aud": "other"}),
	} {
		t.Run(name, func(t *testing.T) {
			srv.refusedPublish(t, "live/x"+token, "the token is not valid")
			srv.deniedWatch(t, "http-flv", "live/x"+token, "the token is not valid")
		})
	}
	srv.refusedPublish(t, "live/y"+good, "the token is not for this stream")
	srv.feed(t, "live/x"+good, sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	elsewhere := sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"streams": []string{"other/*"}})
	for _, protocol := range protocols {
		srv.deniedWatch(t, protocol, "live/x", "the token is not valid")
		srv.deniedWatch(t, protocol, "live/x"+elsewhere, "the token is not for this stream")
		nextThat(t, srv.watch(t, protocol, "live/x"+good, nil), "a keyframe", tag.isKeyframe)
	}
}

// TestExampleIPRules bans networks, and has only the studio publish.
func TestExampleIPRules(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "ip_rules.lua"), behindProxies(nil))
	wantDescription(t, srv.publishFrom(t, "203.0.113.9", "live/x"), "your network is banned")
	wantDescription(t, srv.publishFrom(t, "198.51.100.1", "live/x"), "publishing is for the studio's network")
	if err := srv.publishFrom(t, "192.168.1.7", "live/studio"); err != nil {
		t.Errorf("the studio: %v", err)
	}
	srv.feed(t, "live/x", sourceTags(t, "av")) // from this machine
	srv.waitStream(t, "live/x")
	for _, url := range []string{srv.flvURL("live/x"), "http://" + srv.http[0] + "/index.html"} {
		wantAnswer(t, answer(t, http.MethodGet, url, "X-Forwarded-For", "203.0.113.9"), http.StatusForbidden, "your network is banned")
		wantStatus(t, answer(t, http.MethodGet, url, "X-Forwarded-For", "198.51.100.1"), http.StatusOK)
	}
}

// TestExampleGeoRedirect sends viewers of another region to its edge.
func TestExampleGeoRedirect(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "geo_redirect.lua"), behindProxies(nil))
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	res := answer(t, http.MethodGet, srv.flvURL("live/x"), "X-Forwarded-For", "3.0.0.1")
	wantStatus(t, res, http.StatusFound)
	wantHeader(t, res, "Location", "http://us.example.com:8501/live/x.flv")
	for _, ip := range []string{"2.0.0.1", "198.51.100.1"} { // here, and nowhere
		wantStatus(t, answer(t, http.MethodGet, srv.flvURL("live/x"), "X-Forwarded-For", ip), http.StatusOK)
	}
	nextThat(t, srv.watch(t, "rtmp", "live/x", nil), "a keyframe", tag.isKeyframe)
	if to := srv.redirectFrom(t, "3.0.0.1", "live/x"); to != "rtmp://us.example.com/live/x" {
		t.Errorf("an RTMP player is sent to %q", to)
	}
}

// redirectFrom plays over RTMP from another address, and returns where the
// player is sent.
func (h *hooked) redirectFrom(t *testing.T, ip, path string) string {
	t.Helper()
	app, name := splitPath(path)
	c, err := openRTMP(h.rtmp[1], app, nil, fromIP(ip)...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.command(c.stream, "play", nil, name, -2000.0); err != nil {
		t.Fatal(err)
	}
	values, err := c.await(0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := values[len(values)-1].(amfObject)
	ex, _ := info["ex"].(amfObject)
	to, _ := ex["redirect"].(string)
	return to
}

// TestExampleBanList bans who guesses keys, and ends streams of the banned.
func TestExampleBanList(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "ban_list.lua"), behindProxies(conf{"hooks.tick": `"200ms"`}))
	for range 5 {
		wantDescription(t, srv.publishFrom(t, "198.51.100.1", "live/x?key=bad"), "wrong key")
	}
	wantDescription(t, srv.publishFrom(t, "198.51.100.1", "live/x?key=s3cret"), "banned")
	wantAnswer(t, answer(t, http.MethodGet, "http://"+srv.http[0]+"/index.html", "X-Forwarded-For", "198.51.100.1"), http.StatusForbidden, "banned")
	if err := srv.publishFrom(t, "198.51.100.2", "live/y?key=s3cret"); err != nil {
		t.Errorf("another address: %v", err)
	}
	f := srv.feed(t, "live/x?key=s3cret&user=ann", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	ban := "http://" + srv.http[0] + "/ban?user=ann"
	wantAnswer(t, answer(t, http.MethodGet, ban, "X-Forwarded-For", "198.51.100.2"), http.StatusForbidden, "not from here")
	wantStatus(t, answer(t, http.MethodGet, ban), http.StatusFound)
	eventually(t, "the stream of the banned user ends", f.isGone)
	if n := len(f.said); n == 0 || f.said[n-1].description != "banned" {
		t.Errorf("the encoder was told %+v", f.said)
	}
}

// TestExampleOnePerUser has a user publish one stream at a time.
func TestExampleOnePerUser(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "one_per_user.lua"), conf{"stream.reconnect_grace": `"0s"`})
	srv.refusedPublish(t, "live/x", "user is missing")
	f := srv.feed(t, "live/x?user=ann", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	srv.refusedPublish(t, "live/y?user=ann", "you are publishing live/x already")
	srv.publish(t, "live/z?user=bob")
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the user may publish something else", func() bool {
		p, err := tryPublish(srv.rtmp[0], "live/y?user=ann")
		if err == nil {
			p.Close()
		}
		return err == nil
	})
}

// TestExampleRecordWebhook tells a server of a recording, signed; it is asked
// again when it fails at first.
func TestExampleRecordWebhook(t *testing.T) {
	t.Parallel()
	type call struct {
		body []byte
		sign string
	}
	calls := make(chan call, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{body, r.Header.Get("X-Signature")}
		if len(calls) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	c := conf{"hooks.http_allow": strconv.Quote(strings.TrimPrefix(server.URL, "http://"))}
	c["hooks.http_allow"] = "[" + c["hooks.http_allow"] + "]"
	srv := startHooked(t, example(t, "record_webhook.lua", "http://127.0.0.1:8000", server.URL, "timeout = 0.15", "timeout = 20"), withPlugin(t, "flv", "millrace-flv-recorder", c))
	srv.waitLog(t, map[string]string{"msg": "plugin is running"})
	f := srv.feed(t, "live/x", sourceTags(t, "av"))
	eventually(t, "a recording", func() bool { return len(files(t, srv.data)) > 0 })
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two calls", func() bool { return len(calls) >= 2 })
	for range 2 {
		got := <-calls
		mac := hmac.New(sha256.New, []byte("change-me"))
		mac.Write(got.body)
		var told struct {
			Stream, Session, File, URL string
			Size                       int64
			Seconds                    float64
		}
		err := json.Unmarshal(got.body, &told)
		if err != nil || got.sign != hex.EncodeToString(mac.Sum(nil)) || told.Stream != "live/x" || told.Session == "" || told.Size == 0 {
			t.Errorf("the server is told %s (%v), signed %s", got.body, err, got.sign)
		}
		res := answer(t, http.MethodHead, "http://"+srv.http[0]+told.URL)
		wantStatus(t, res, http.StatusOK)
		if res.ContentLength != told.Size {
			t.Errorf("%s has %d bytes, told were %d", told.URL, res.ContentLength, told.Size)
		}
	}
}
