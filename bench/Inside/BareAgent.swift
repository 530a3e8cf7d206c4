import CSystem
import Glibc
import VaultModel
import VaultWire

/// What the agent's CPU for a warm request is held against: a server that takes connections, asks the kernel who is there, as the agent does
/// for the audit log, and gives everybody the same answer, with no vault, log or thought behind it.
///
/// Says when it listens, and ends with its standard input.
func serveAsAgent(at path: String) throws {
  let issued = IssuedReply {
    $0.accessKeyId = "ASIAIOSFODNN7EXAMPLE"
    $0.secretAccessKey = WireBytes(String(repeating: "x", count: 40))
    $0.sessionToken = WireBytes(String(repeating: "x", count: 640))
    $0.expiration = Timestamp(iso8601: "2099-01-01T00:00:00Z")
    $0.region = "eu-west-1"
  }
  let answer = try WireBuffer.frame(.done, issued)
  unlink(path)
  let listener = sys_unix_listen(path, 512)
  guard listener >= 0 else { exit(70) }
  print("listening")
  fflush(nil)
  var waiting = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0), pollfd(fd: 0, events: Int16(POLLIN), revents: 0)]
  let memory = UnsafeMutableRawPointer.allocate(byteCount: 16_384, alignment: 16)
  while poll(&waiting, 2, -1) >= 0, waiting[1].revents == 0 {
    let connection = sys_accept(listener)
    guard connection >= 0 else { continue }
    lookAt(connection, memory)
    // The client writes right after it has connected.
    var readable = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    poll(&readable, 1, 1_000)
    _ = read(connection, memory, 16_384)
    _ = answer.withBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    close(connection)
  }
  unlink(path)
}

/// Program, folder, command line, parent.
private func lookAt(_ connection: Int32, _ memory: UnsafeMutableRawPointer) {
  var (pid, uid, gid): (Int32, UInt32, UInt32) = (0, 0, 0)
  _ = sys_peer_credentials(connection, &pid, &uid, &gid)
  let text = memory.assumingMemoryBound(to: CChar.self)
  let process = sys_peer_process(connection, pid)
  for link in ["/proc/\(pid)/exe", "/proc/\(pid)/cwd", "/proc/\(getppid())/exe"] { _ = readlink(link, text, 4_096) }
  close(process)
  for file in ["/proc/\(pid)/cmdline", "/proc/\(pid)/stat"] {
    let file = open(file, O_RDONLY | O_CLOEXEC)
    _ = read(file, memory, 16_384)
    close(file)
  }
}
