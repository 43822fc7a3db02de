# The formula of Homebrew's (docs.brew.sh/Formula-Cookbook). In a tap it gets the release's url and sha256 by formula.sh; as
# it is here, it builds the main branch: brew install --HEAD rouse.
class Rouse < Formula
  desc "Web server that sleeps until somebody knocks, and wakes any other server"
  homepage "https://github.com/rouse-server/rouse"
  license "Apache-2.0"
  head "https://github.com/rouse-server/rouse.git", branch: "main"

  livecheck do
    url :homepage
    strategy :github_latest
  end

  depends_on "go" => :build

  def install
    ENV["CGO_ENABLED"] = "0"
    system "go", "build", *std_go_args(ldflags: "-s -w -X main.release=#{version}"), "./cmd/rouse"

    man1.install Dir["packaging/man/*.1"]
    man5.install Dir["packaging/man/*.5"]
    bash_completion.install "packaging/completions/rouse.bash" => "rouse"
    zsh_completion.install "packaging/completions/_rouse"
    fish_completion.install "packaging/completions/rouse.fish"

    (buildpath/"rouse.toml").write <<~EOS
      # Options of the service that "brew services start rouse" starts; all of them are in rouse.toml(5).
      [general]
      root = "#{var}/www"
      tls-cert = "#{etc}/rouse/tls.crt"
      tls-key = "#{etc}/rouse/tls.key"
      https-redirect = true
      # launchd keeps the sockets while Rouse is away, and starts it for the next client.
      idle-exit = "5m"
      log-level = "info"
    EOS
    pkgetc.install "rouse.toml"
    (var/"www").mkpath
  end

  # A certificate of this machine's own, where there is none, and a new one of the same key before it ends. Whatever somebody
  # else has signed stays.
  def post_install
    system bin/"rouse", "renew", "--directory", pkgetc
  end

  def caveats
    <<~EOS
      The service serves #{var}/www at https://localhost:8443/, and http://localhost:8080/ sends there. Only this machine
      reaches it. Its options are in #{etc}/rouse/rouse.toml. Ports, several sites, and a certificate that is renewed by
      itself: rouse install --help
    EOS
  end

  # launchd opens the sockets, and a client starts Rouse, hence no run_at_load. Their names are the roles that Rouse gives
  # them. On Linux Homebrew has no sockets for services, so that Rouse binds them itself, and stays.
  service do
    run macos: [opt_bin/"rouse", "serve"],
        linux: [opt_bin/"rouse", "serve", "--listen", "https=tcp:127.0.0.1:8443", "--listen", "http=tcp:127.0.0.1:8080"]
    run_at_load false
    process_type :interactive
    sockets https: "tcp://127.0.0.1:8443", http: "tcp://127.0.0.1:8080"
    environment_variables SERVER_CONFIG_FILE: etc/"rouse/rouse.toml"
    error_log_path var/"log/rouse.log"
  end

  test do
    require "socket"

    (testpath/"index.html").write "Rouse is awake.\n"
    # As an activator does it: the socket is there before the program, and its first client waits in it.
    listener = TCPServer.new("127.0.0.1", 0)
    server = spawn((bin/"rouse").to_s, "serve", "--root", testpath.to_s, "--fd", "3", 3 => listener)
    begin
      page = shell_output("curl --silent --show-error --max-time 30 http://127.0.0.1:#{listener.addr[1]}/")
      assert_equal "Rouse is awake.\n", page
    ensure
      Process.kill "TERM", server
      Process.wait server
    end
    assert_match version.to_s, shell_output("#{bin}/rouse version")
  end
end
