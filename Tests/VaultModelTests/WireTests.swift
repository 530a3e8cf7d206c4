import Glibc
import Testing
import VaultModel
@testable import VaultWire

struct WireTests {
  private func payload(_ frame: WireBuffer) -> WireBuffer { frame.suffix(from: 4) }

  @Test("what is written is read back, field by field and in order")
  func roundTrip() throws {
    let writer = MessageWriter(.credential)
    writer.add(.profile, "app-dev")
    writer.add(.environment, "A=1")
    writer.add(.environment, "B=2")
    writer.add(.refresh, if: true)
    writer.add(.all, if: false)
    writer.add(.duration, 900)
    let message = try #require(Message(payload(try writer.frame())))
    #expect(message.kind == .credential && message.version == protocolVersion)
    #expect(message.text(.profile) == "app-dev")
    #expect(message.texts(.environment) == ["A=1", "B=2"])
    #expect(message.has(.refresh) && !message.has(.all))
    #expect(message.number(.duration) == 900)
    #expect(message.text(.region) == nil)
  }

  @Test("fields are the same only where every byte of each is, and none is more or less")
  func sameFields() throws {
    let writer = MessageWriter(.credential)
    writer.add(.environment, "A=1")
    writer.add(.profile, "app-dev")
    writer.add(.environment, "")
    writer.add(.environment, "B=2")
    let message = try #require(Message(payload(try writer.frame())))
    #expect(message.holds(Array("A=1\0\0B=2\0".utf8), in: .environment))
    for other in ["", "A=1\0", "A=1\0B=2\0", "A=1\0\0B=2", "A=1\0\0B=3\0", "A=1\0\0B=2\0C=3\0", "A=1\0\0B=2\0\0", "A=1B=2\0\0\0"]
    {
      #expect(!message.holds(Array(other.utf8), in: .environment), "\(other)")
    }
    #expect(message.holds([], in: .setting) && !message.holds([0], in: .setting))
  }

  @Test("a failure crosses whole")
  func failure() throws {
    let failure = Failure("no profile \"x\"", hint: "look", exitStatus: .noInput)
    #expect(Failure(try #require(Message(payload(try failure.frame())))) == failure)
  }

  @Test("a message over the limit is not sent")
  func tooLong() {
    #expect(throws: WireError.self) {
      let writer = MessageWriter(.credential)
      writer.add(.profile, String(repeating: "x", count: maxPayloadBytes))
      _ = try writer.frame()
    }
  }

  @Test("every cut and every changed byte of a message is read or refused, and nothing is read outside it")
  func hostile() throws {
    let writer = MessageWriter(.credential)
    writer.add(.profile, "app-dev")
    writer.add(.reason, "why")
    let whole = payload(try writer.frame())
    for length in 0..<whole.count {
      let cut = WireBuffer()
      whole.withBytes { cut.append(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
      if let message = Message(cut) { #expect(message.texts(.profile).count <= 1) }
    }
    for index in 0..<whole.count {
      for bit in 0..<8 {
        let changed = WireBuffer()
        for (position, byte) in whole.withBytes({ Array($0) }).enumerated() {
          changed.append(position == index ? byte ^ (1 << bit) : byte)
        }
        if let message = Message(changed) { _ = (message.texts(.profile), message.texts(.reason), message.number(.duration)) }
      }
    }
  }

  @Test("a frame that arrives byte by byte is put together")
  func slowly() throws {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let channel = Channel(descriptor: ends[0])
    let writer = MessageWriter(.done)
    writer.add(.item, "count\t3")
    let frame = try writer.frame()
    for byte in frame.withBytes({ Array($0) }) {
      var byte = byte
      #expect(write(ends[1], &byte, 1) == 1)
    }
    let message = try #require(try channel.receive())
    #expect(message.text(.item) == "count\t3")
    close(ends[1])
    #expect(throws: WireError.self) { try channel.receive() }
  }
}
