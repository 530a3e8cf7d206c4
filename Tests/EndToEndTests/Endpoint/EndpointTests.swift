import Foundation
import Glibc
import TestSupport
import Testing

/// What the endpoint on loopback bears, and whom it turns away.
@Suite(.endToEnd) struct EndpointTests {
  /// Connections that are opened, hold on, and say this and no more.
  private static func hold(_ count: Int, _ port: UInt16, saying bytes: String) throws -> [Int32] {
    try (0..<count).map { _ in
      let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
      try #require(connected == 0, "\(String(cString: strerror(errno)))")
      _ = bytes.withCString { Glibc.send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      return socket
    }
  }

  @Test(
    "thousands of clients that say nothing, or half of something, keep no program from its credentials",
    arguments: ["", "GET /credentials HT", "GET /credentials HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
  func slowClients(saying: String) async throws {
    var files = rlimit()
    getrlimit(__rlimit_resource_t(7), &files)
    files.rlim_cur = min(files.rlim_max, 8_192)
    setrlimit(__rlimit_resource_t(7), &files)
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let first = try #require(try await served.key())
    let held = try Self.hold(2_000, served.port, saying: saying)
    var times: [Double] = []
    for _ in 0..<20 {
      let began = Date()
      #expect(try await served.key() == first)
      times.append(Date().timeIntervalSince(began))
    }
    for socket in held { close(socket) }
    // Other programs of a test run take the processor now and then; the clients must not.
    #expect(times.sorted()[4] < 0.05 && times.max()! < 5, "\(times)")
    // The agent itself goes on as if nothing had been.
    try await vault.mustRun("exec", "app-dev", "--", "true")
    served.program.send("\n")
    try await served.program.wait(timeout: 10)
  }

  @Test("another machine of the network reaches the endpoint by none of this machine's addresses")
  func otherHost() async throws {
    let vault = TestVault()
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    let world = vault.folder.write(
      String(decoding: try JSONEncoder().encode(STSWorld.standard), as: UTF8.self), to: "world.json")
    // Two network namespaces with a cable between: this machine's and another's. All that is ours runs in the first.
    let script = """
      set -eu
      ip link set lo up
      '\(try Programs.stsSimulator)' --world '\(world)' --port 0 > sts &
      trap 'kill $(jobs -p) 2>/dev/null' EXIT
      while ! test -s sts; do sleep 0.02; done
      export AWS_ENDPOINT_URL_STS=$(sed 's/.* //' sts)
      unshare --net sleep 600 &
      other=$!
      while test "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/$$/ns/net)"; do sleep 0.02; done
      ip link add cable0 type veth peer name cable1 netns $other
      ip addr add 192.0.2.1/24 dev cable0
      ip link set cable0 up
      nsenter -t $other --net sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev cable1; ip link set cable1 up'
      '\(try Programs.vault)' config --add trusted_endpoints "$AWS_ENDPOINT_URL_STS"
      '\(try Programs.vault)' import >/dev/null
      # What listens at all addresses is reached, so that the cable is known to work.
      '\(try Programs.python)' -u -c 'import socket
      s = socket.create_server(("0.0.0.0", 0)); print(s.getsockname()[1])
      while True: s.accept()' > open &
      while ! test -s open; do sleep 0.02; done
      '\(try Programs.vault)' exec --server app-dev -- sh -c '
        port=$(echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" | sed "s/.*:\\([0-9]*\\).*/\\1/")
        nsenter -t '$other' --net \(try Programs.python) -c "
      import socket, sys
      def tried(address, port):
          try:
              socket.create_connection((address, int(port)), 2).close()
              return \\"open\\"
          except OSError as error:
              return type(error).__name__
      print(tried(\\"192.0.2.1\\", sys.argv[2]), tried(\\"192.0.2.1\\", sys.argv[1]))" "$port" "$(cat open)"
        \(try Programs.python) -c "
      import socket, sys
      socket.create_connection((\\"127.0.0.1\\", int(sys.argv[1])), 2); print(\\"here\\")" "$port"'
      '\(try Programs.vault)' agent stop
      """
    let words = (geteuid() == 0 ? [] : ["--map-root-user"]) + ["--net", "sh", "-c", script]
    let result = try await Subprocess.run(
      "/usr/bin/unshare", words, environment: vault.environment.merging(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]) { $1 },
      directory: vault.folder.path, timeout: 120)
    #expect(result.output == "open ConnectionRefusedError\nhere\n", "\(result.output) \(result.errors)")
  }

  @Test(
    "another user's program is turned away, though it has the token, and stands in the log; root's, as in containers, is not",
    .enabled(if: geteuid() == 0, "only root can be another user"))
  func otherUser() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    #expect(try await served.key() != nil)
    let script = """
      import http.client, sys
      connection = http.client.HTTPConnection("127.0.0.1", \(served.port), timeout=10)
      try:
          connection.request("GET", "/credentials", headers={"Authorization": sys.stdin.readline().strip()})
          print(connection.getresponse().status)
      except (ConnectionError, http.client.RemoteDisconnected) as error:
          print("refused")
      """
    for (user, wanted) in [("65534", "refused\n"), ("0", "200\n")] {
      let other = try await Subprocess.run(
        "/usr/bin/setpriv", ["--reuid", user, "--clear-groups", "/usr/bin/python3", "-I", "-c", script],
        environment: ["PATH": "/usr/bin:/bin"], input: Array("\(served.token)\n".utf8))
      #expect(other.output == wanted, "\(user): \(other.output) \(other.errors)")
    }
    let rows = try await vault.rows("audit", "--action", "EndpointRefused")
    #expect(rows.count == 1 && rows[0]["detail"] as? String == "a connection of user 65534 was refused", "\(rows)")
    served.program.send("\n")
    try await served.program.wait(timeout: 10)
  }

  @Test("a session that a person renews by hand reaches the programs that are served")
  func renewedByHand() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let first = try await served.key()
    try await vault.mustRun("rotate", "app-dev")
    let second = try await served.key()
    #expect(first != nil && second != nil && first != second)
    // And it has its row.
    let rows = try await vault.rows("audit", "--action", "Deliver")
    #expect(rows.contains { $0["accessKeyId"] as? String == second && $0["trigger"] as? String == "server" })
    served.program.send("\n")
    try await served.program.wait(timeout: 10)
  }
}
