import Testing
import VaultModel

@Suite struct SinkAddressTests {
  @Test(
    "an address of a syslog receiver is a socket, or a host with a port",
    arguments: [
      ("unix:/dev/log", "unix:/dev/log"), ("udp://log.example.com", "udp://log.example.com:514"),
      ("tcp://log.example.com", "tcp://log.example.com:601"), ("tcp://10.0.0.1:6514", "tcp://10.0.0.1:6514"),
      ("udp://[::1]:5514", "udp://[::1]:5514"), ("tcp://[fe80::1%eth0]", "tcp://[fe80::1%eth0]:601"),
    ])
  func good(text: String, shown: String) { #expect(SyslogAddress(text)?.description == shown) }

  @Test(
    "what is none is refused",
    arguments: [
      "", "on", "unix:", "unix:dev/log", "unix:/" + String(repeating: "x", count: 120), "udp://", "udp://:514", "udp://h:0",
      "udp://h:x",
      "udp://h:65536", "tcp://a b:1", "tcp://::1:601", "tcp://[::1", "tcp://[::1]x", "http://h", "tcp://h/path", "tcp://h:1:2",
    ])
  func bad(text: String) { #expect(SyslogAddress(text) == nil) }
}
