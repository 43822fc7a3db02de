# A stand-in for brew, of so much as the formula uses. It tells what brew would make of it:
#
#   ruby brew.rb json FORMULA                            what it says of itself
#   ruby brew.rb plist FORMULA                           the property list of its service (Homebrew::Service#to_plist)
#   ruby brew.rb unit FORMULA                            the same for systemd (#to_systemd_unit)
#   ruby brew.rb install FORMULA SOURCE PREFIX PROGRAM   its install and post_install, with PROGRAM as what go build made
#   ruby brew.rb test FORMULA SOURCE PREFIX PROGRAM      after that, its test
#
# The prefix of the first three is /opt/homebrew.
require "cgi"
require "fileutils"
require "json"
require "open3"
require "pathname"
require "tmpdir"

# brew's additions to Pathname.
class Pathname
  def install(*sources)
    mkpath
    sources.flatten.each do |source|
      if source.is_a?(Hash)
        source.each { |from, name| FileUtils.cp from, join(name) }
      else
        raise "#{source} is not there" unless File.exist?(source)

        FileUtils.cp source, self
      end
    end
  end
end

# The block `service do … end`.
class Service
  SOCKET = %r{\A([a-z]+)://(.+):([0-9]+)\z}i.freeze

  def initialize(formula, macos)
    @formula = formula
    @macos = macos
    @run_at_load = true
    @sockets = {}
    @variables = {}
    instance_eval(&formula.class.said[:service])
  end

  %i[bin etc libexec opt_bin opt_prefix var].each { |name| define_method(name) { @formula.public_send(name) } }

  def run(command = nil, macos: nil, linux: nil)
    @run = Array(command || (@macos ? macos : linux)).map(&:to_s)
  end

  def run_at_load(value) = @run_at_load = value

  def process_type(value)
    raise TypeError, value unless %i[background standard interactive adaptive].include?(value)

    @process_type = value
  end

  def sockets(all)
    @sockets = all.transform_values { |text| SOCKET.match(text) or raise TypeError, text }
  end

  def environment_variables(all) = @variables = all.transform_values(&:to_s)

  def error_log_path(path) = @error_log_path = path.to_s

  def to_plist
    job = { Label: "homebrew.mxcl.#{@formula.name}", ProgramArguments: @run, RunAtLoad: @run_at_load }
    job[:ProcessType] = @process_type.to_s.capitalize if @process_type
    job[:StandardErrorPath] = @error_log_path if @error_log_path
    job[:EnvironmentVariables] = @variables unless @variables.empty?
    unless @sockets.empty?
      job[:Sockets] = @sockets.transform_values do |match|
        { SockNodeName: match[2], SockServiceName: match[3], SockProtocol: match[1].upcase }
      end
    end
    job[:LimitLoadToSessionType] = %w[Aqua Background LoginWindow StandardIO System]
    <<~PLIST
      <?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
      <plist version="1.0">
      #{element(job)}
      </plist>
    PLIST
  end

  # element is a value as the gem plist writes it: keys in order, a tab for each level.
  def element(value)
    case value
    when Hash
      inner = value.sort_by { |key, _| key.to_s }.map { |key, one| "<key>#{key}</key>\n#{element(one)}" }
      "<dict>\n#{indented(inner)}\n</dict>"
    when Array then "<array>\n#{indented(value.map { |one| element(one) })}\n</array>"
    when true, false then "<#{value}/>"
    else "<string>#{CGI.escapeHTML(value.to_s)}</string>"
    end
  end

  def indented(lines) = lines.join("\n").gsub(/^/, "\t")

  def to_systemd_unit
    variables = @variables.map { |name, value| "Environment=\"#{name}=#{value}\"\n" }.join
    <<~UNIT
      [Unit]
      Description=Homebrew generated unit for #{@formula.name}

      [Install]
      WantedBy=default.target

      [Service]
      Type=simple
      ExecStart=#{@run.map { |word| "\"#{word}\"" }.join(" ")}
      StandardError=append:#{@error_log_path}
      #{variables}
    UNIT
  end
end

# The class that formulas are below.
class Formula
  class << self
    def said = @said ||= {}

    %i[desc homepage license url sha256].each { |name| define_method(name) { |value| said[name] = value } }

    def head(url, branch:) = said[:head] = { url: url, branch: branch }

    def depends_on(one) = (said[:depends_on] ||= []) << one

    %i[livecheck service test].each { |name| define_method(name) { |&block| said[name] = block } }
  end

  attr_reader :prefix, :program, :calls

  def initialize(prefix: Pathname("/opt/homebrew"), program: nil)
    @prefix = prefix
    @program = program
    @calls = []
  end

  def name = self.class.name.downcase

  # The version is what the program says, as if it had been built with it.
  def version = @version ||= program ? Open3.capture2(program, "version").first.split[1] : "1.2.3"

  def opt_prefix = prefix/"opt/#{name}"

  def opt_bin = opt_prefix/"bin"

  def bin = prefix/"Cellar/#{name}/#{version}/bin"

  def etc = prefix/"etc"

  def pkgetc = etc/name

  def var = prefix/"var"

  def man1 = prefix/"share/man/man1"

  def man5 = prefix/"share/man/man5"

  def bash_completion = prefix/"etc/bash_completion.d"

  def zsh_completion = prefix/"share/zsh/site-functions"

  def fish_completion = prefix/"share/fish/vendor_completions.d"

  def buildpath = @buildpath ||= Pathname(Dir.mktmpdir)

  def testpath = @testpath ||= Pathname(Dir.mktmpdir)

  def std_go_args(ldflags:) = ["-trimpath", "-o=#{bin/name}", "-ldflags=#{ldflags}"]

  # Instead of building it, the program is put where go build would.
  def system(*words)
    words = words.map(&:to_s)
    @calls << words
    if words.first(2) == %w[go build]
      bin.mkpath
      FileUtils.cp program, bin/name
    else
      Kernel.system(*words) or raise "#{words.join(" ")} failed"
    end
  end

  def shell_output(command)
    output, status = Open3.capture2(command)
    raise "#{command}: #{status}" unless status.success?

    output
  end

  def assert_equal(want, got) = want == got || raise("got #{got.inspect}, want #{want.inspect}")

  def assert_match(want, got) = got.include?(want) || raise("got #{got.inspect}, want #{want.inspect} in it")

  # installed runs install in a copy of the source that has what the formula may take from it.
  def installed(source)
    FileUtils.cp_r File.join(source, "packaging"), buildpath
    Dir.chdir(buildpath) { install }
    post_install
    self
  ensure
    FileUtils.rm_rf buildpath
  end

  def tested
    instance_eval(&self.class.said[:test])
  ensure
    FileUtils.rm_rf testpath
  end
end

job, formula, *rest = ARGV
require File.expand_path(formula)
case job
when "json"
  said = Rouse.said.reject { |_, value| value.is_a?(Proc) }
  puts JSON.generate(said.merge(blocks: Rouse.said.keys & %i[livecheck service test], caveats: Rouse.new.caveats))
when "plist" then print Service.new(Rouse.new, true).to_plist
when "unit" then print Service.new(Rouse.new, false).to_systemd_unit
when "install", "test"
  source, prefix, program = rest
  made = Rouse.new(prefix: Pathname(prefix), program: program).installed(source)
  made.tested if job == "test"
  puts JSON.generate(made.calls)
else abort "usage: json, plist, unit, install or test"
end
