import Glibc
import Testing
import VaultModel

@Suite struct AgentEnvironmentTests {
  private func cleaned(_ entries: [String]) -> (entries: [String], isChanged: Bool) {
    var given = entries.map { strdup($0) } + [nil]
    defer { given.forEach { free($0) } }
    let (kept, isChanged) = AgentEnvironment.cleaned(&given)
    return (kept.compactMap { $0 }.map { String(cString: $0) }, isChanged)
  }

  @Test(
    "an agent starts from what names its folders, its settings, its language, its desktop and its service manager, and from nothing else"
  )
  func kept() {
    let needed = [
      "HOME=/h", "USER=u", "LANG=C.UTF-8", "LC_ALL=C", "XDG_RUNTIME_DIR=/run/user/1", "VAULT_HOME=/v",
      "VAULT_KEYSTORE=passphrase",
      "VAULT_PASSPHRASE_FILE=/p", "VAULT_AGENT_LIFE=programs", "LISTEN_PID=1", "LISTEN_FDS=1", "NOTIFY_SOCKET=/n",
      "DISPLAY=:0", "WAYLAND_DISPLAY=wayland-0", "XAUTHORITY=/x", "DBUS_SESSION_BUS_ADDRESS=unix:path=/x;unix:abstract=y",
    ]
    let foreign = [
      "LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/x", "LD_AUDIT=/x.so", "GLIBC_TUNABLES=glibc.malloc.check=3", "MALLOC_PERTURB_=1",
      "GCONV_PATH=/x",
      "LOCPATH=/x", "NLSPATH=/x", "TZ=:/x", "TZ=UTC", "TZDIR=/x", "TMPDIR=/x", "OPENSSL_CONF=/x", "OPENSSL_MODULES=/x",
      "SSL_CERT_FILE=/x",
      "SSL_CERT_DIR=/x",
      "SSLKEYLOGFILE=/x", "CURL_CA_BUNDLE=/x", "CURL_HOME=/x", "GIO_EXTRA_MODULES=/x", "GIO_MODULE_DIR=/x",
      "G_DEBUG=fatal-warnings",
      "G_MESSAGES_DEBUG=all", "XDG_DATA_DIRS=/x", "DBUS_SESSION_BUS_ADDRESS=unix:path=/x;unixexec:path=/x",
      "DBUS_SESSION_BUS_ADDRESS=tcp:host=x", "https_proxy=http://x",
      "HTTPS_PROXY=http://x",
      "ALL_PROXY=http://x", "AWS_ENDPOINT_URL=http://x", "AWS_CA_BUNDLE=/x", "AWS_ACCESS_KEY_ID=AKIA", "VAULT_TOKEN=hvs.x",
      "VAULT_ADDR=https://x",
      "VAULT_PASSPHRASE_FD=3", "SWIFT_BACKTRACE=enable=yes", "BASH_ENV=/x", "SQLITE_TMPDIR=/x", "HOSTALIASES=/x",
      "RES_OPTIONS=debug", "no-equals",
    ]
    let path = "PATH=\(AgentEnvironment.path)"
    #expect(cleaned(needed + [path]) == (needed + [path], false))
    for entry in foreign { #expect(cleaned(needed + [path, entry]) == (needed + [path], true), "\(entry)") }
    #expect(cleaned(["PATH=/x", "HOME=/h"]) == (["HOME=/h", path], true))
    #expect(cleaned([]) == ([path], true))
  }
}
