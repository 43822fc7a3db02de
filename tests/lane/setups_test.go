package lane

import "time"

// life is how long a reply is sent before its files are looked at again.
const life = 100 * time.Millisecond

// setup is how both programs are started. {dir} stands for the folder that dir/site lies in.
type setup struct {
	name  string
	args  string            // options, separated by blanks
	file  string            // the file of options
	files map[string]string // beside those of all setups
}

// user is user with the password open sesame, hashed by bcrypt at its lowest cost.
const user = "user:$2a$04$7/WS.OVy7P60kJmg8J4wB.84TIN5dnJhdYdl8ENaOiR8ehsD7Q/D2"

func setups() []setup {
	return []setup{
		{name: "defaults"},
		{name: "small-cache", args: "--reply-cache 30000"},
		{name: "no-life", args: "--reply-ttl 0s"},
		{name: "no-compression", args: "--compression=false --cache-control-headers=false --etag false --text-charset=false"},
		{name: "compression-static", args: "--compression-static --compression-level best --compression-cache 0 --threads-multiplier 4"}, // or streams beyond four for each go out as they are
		{name: "cors", args: "--cors-allow-origins https://a.test,https://b.test --cors-allow-headers x-a,x-b --cors-expose-headers x-c"},
		{name: "spa", args: "--spa"},
		{name: "fallback", args: "--page-fallback {dir}/site/old.html --ignore-hidden-files=false --disable-symlinks=false"},
		{name: "markdown", args: "--accept-markdown"},
		{name: "clean-urls", args: "--clean-urls"},
		{name: "security", args: "--security-headers --redirect-trailing-slash=false"},
		{name: "site-rules", args: "--site-rules", files: map[string]string{
			"site/_headers":   "/*\n  X-All: yes\n/assets/*\n  Cache-Control: max-age=5\n  Link: </style.css>; rel=preload; as=style\nhttps://b.test/*\n  X-B: b\n",
			"site/_redirects": "/old /page.html 301\n/old.html /new.html 302\n/sub/* /assets/:splat 200\n/gone/* /404.html 404\n/blog/:name /blog/:name.html 200\n",
		}},
		{name: "rules", file: `
			[[advanced.redirects]]
			source = "/old.html"
			destination = "/page.html"
			kind = 301
			[[advanced.redirects]]
			host = "b.test"
			source = "/js/{*}.{js,mjs}"
			destination = "https://c.test/$1.$2"
			kind = 302
			[[advanced.rewrites]]
			source = "/blog/{*}"
			destination = "/assets/main.css"
			[[advanced.rewrites]]
			source = "/**/{*}.{ico}"
			destination = "/assets/favicon.$3"
			redirect = 308
			[[advanced.headers]]
			source = "**/*.{css,js}"
			headers = { X-Source = "css", Cache-Control = "no-store" }
			[[advanced.early-hints]]
			source = "/*.html"
			links = ["</assets/main.css>; rel=preload; as=style"]
			`},
		{name: "hosts", file: `
			[[advanced.virtual-hosts]]
			host = "b.test"
			root = "{dir}/b"
			[[advanced.virtual-hosts]]
			hosts = ["*.c.test", "127.0.0.1"]
			root = "{dir}/site/assets"
			page404 = "favicon.ico"
			`, files: map[string]string{"b/index.html": "host b\n", "b/a.txt": "a.txt of b\n", "b/404.html": "b has no such page\n"}},
		{name: "listing", args: "--directory-listing --directory-listing-format auto --directory-listing-download tarzst,zip"},
		{name: "redirect", args: "--https-redirect --https-redirect-from-hosts site.test,b.test"},
		{name: "content", args: "--etag content --repr-digest"},
		{name: "memory", file: "[advanced.memory-cache]\ncapacity = 256\nmax-file-size = 64\n"},
		{name: "maintenance", args: "--maintenance-mode --health --ready --maintenance-mode-status 503"},
		{name: "password", args: "--health --basic-auth " + user},
		{name: "endpoints", args: "--health --ready --trusted-proxies 127.0.0.0/8 --log-forwarded-for --log-x-real-ip"},
	}
}
