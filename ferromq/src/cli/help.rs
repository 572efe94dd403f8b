//! The examples at the end of each verb's `--help`.

pub(crate) const TOP: &str = "\
Received messages are lines on standard output, trouble with connections is a
line on standard error. Exit code: 0 done, 1 failed (one line says what and
where), 2 wrong usage, 130 ended by Ctrl-C.

Examples:
  ferromq pull --bind tcp://127.0.0.1:5555
  echo hello | ferromq push --connect tcp://127.0.0.1:5555
  ferromq demo";

pub(crate) const PUSH: &str = "\
A line is a message, a tab in it separates frames; \\t \\n \\r \\\\ and \\xHH stand
for bytes that a line cannot hold.

Examples:
  seq 1000 | ferromq push --connect tcp://127.0.0.1:5555
  ferromq push --bind ipc:///tmp/work --file photo.jpg
  ferromq push --connect tcp://127.0.0.1:5555 --size 1M --repeat 100
  ferromq push --connect tcp://host:5555 --curve-server-key server.pub";

pub(crate) const PULL: &str = "\
Examples:
  ferromq pull --bind tcp://*:5555
  ferromq pull --connect ipc:///tmp/work --format raw --count 1 > photo.jpg
  ferromq pull --bind tcp://127.0.0.1:5555 --format json | jq .frames
  ferromq pull --bind tcp://*:5555 --curve-secret-file server --curve-allow clients
  ferromq pull --bind tcp://127.0.0.1:5555 --plain-allow users";

pub(crate) const PUB: &str = "\
A published message reaches those who have subscribed by then and keep up:
--wait-subscribers waits for the first, --hwm gives slow ones more room.
Messages that were dropped are counted at the end, on standard error.

Examples:
  date | ferromq pub --bind tcp://*:5556 --topic time --wait-subscribers 1
  tail -f log | ferromq pub --connect tcp://collector:5556 --topic log";

pub(crate) const SUB: &str = "\
Examples:
  ferromq sub --connect tcp://127.0.0.1:5556
  ferromq sub --connect tcp://127.0.0.1:5556 --topic time --topic log
  ferromq sub --bind tcp://*:5556 --count 10 --timeout 5
  ferromq sub --connect tcp://host:5556 --plain-user ann --plain-password-file password";

pub(crate) const XPUB: &str = "\
What comes are subscriptions: \\x01 and a topic, and \\x00 and a topic when the
last subscriber of it left. Each line of standard input is published.

Examples:
  ferromq xpub --bind tcp://127.0.0.1:5556
  ferromq xpub --bind tcp://127.0.0.1:5556 --count 1 < /dev/null";

pub(crate) const XSUB: &str = "\
The line \\x01TOPIC subscribes, the line \\x00TOPIC unsubscribes, anything else
goes to the publishers as a message.

Examples:
  ferromq xsub --connect tcp://127.0.0.1:5556 --topic time
  echo '\\x01time' | ferromq xsub --connect tcp://127.0.0.1:5556";

pub(crate) const REQ: &str = "\
The next request is sent when the reply to the one before was printed.

Examples:
  echo hello | ferromq req --connect tcp://127.0.0.1:5557
  ferromq req --connect tcp://127.0.0.1:5557 --size 64 --repeat 1000 --format raw
  echo ping | ferromq req --connect tcp://server:5557 --timeout 2";

pub(crate) const REP: &str = "\
Without --echo and --exec, requests are printed, and each line of standard
input is a reply. --exec gives the frames of the request one after the other to
the command, and replies one frame; it serves this machine only (loopback
addresses and ipc) unless --allow-remote is given.

Examples:
  ferromq rep --bind tcp://127.0.0.1:5557
  ferromq rep --bind tcp://*:5557 --echo
  ferromq rep --bind ipc:///tmp/upper --exec 'tr a-z A-Z'";

pub(crate) const DEALER: &str = "\
Goes on receiving when standard input has ended, until --count, --timeout or
Ctrl-C; --count 0 ends when everything is sent. A REP peer expects an empty
frame first: start the line with a tab.

Examples:
  ferromq dealer --connect tcp://127.0.0.1:5558 --identity worker-1
  seq 3 | ferromq dealer --connect tcp://127.0.0.1:5558 --count 3";

pub(crate) const ROUTER: &str = "\
A line that comes starts with the peer's identity in hexadecimal, then a tab. A
line to send has the same form: the peer's identity, a tab, the frames. A REQ
peer sends and expects an empty frame after the identity: two tabs.

Examples:
  ferromq router --bind tcp://127.0.0.1:5558
  ferromq router --bind ipc:///tmp/broker --format json";

pub(crate) const PAIR: &str = "\
Goes on receiving when standard input has ended, until --count, --timeout or
Ctrl-C; --count 0 ends when everything is sent.

Examples:
  ferromq pair --bind tcp://127.0.0.1:5559
  ferromq pair --connect tcp://127.0.0.1:5559
  ferromq pair --connect tcp://127.0.0.1:5559 --file notes.txt --count 0";

pub(crate) const CLIENT: &str = "\
A line is a message of one frame: no tabs. Goes on receiving when standard input
has ended, until --count, --timeout or Ctrl-C; --count 0 ends when everything is
sent.

Examples:
  echo hello | ferromq client --connect tcp://127.0.0.1:5561 --count 1
  ferromq client --connect tcp://127.0.0.1:5561";

pub(crate) const SERVER: &str = "\
A line that comes starts with the client's routing id in hexadecimal, then a
tab. A line to send has the same form: the routing id, a tab, the message.

Examples:
  ferromq server --bind tcp://127.0.0.1:5561
  ferromq server --bind ipc:///tmp/service --format json";

pub(crate) const PEER: &str = "\
A line that comes starts with the peer's routing id in hexadecimal, then a tab. A
line to send has the same form. What is connected to is told with its routing id
on standard error.

Examples:
  ferromq peer --bind tcp://127.0.0.1:5562
  ferromq peer --bind tcp://*:5562 --connect tcp://other:5562";

pub(crate) const SCATTER: &str = "\
A line is a message of one frame: no tabs.

Examples:
  seq 1000 | ferromq scatter --connect tcp://127.0.0.1:5563
  ferromq scatter --bind ipc:///tmp/work --file photo.jpg";

pub(crate) const GATHER: &str = "\
Examples:
  ferromq gather --bind tcp://*:5563
  ferromq gather --connect ipc:///tmp/work --format raw --count 1 > photo.jpg";

pub(crate) const RADIO: &str = "\
A line is a group, a tab and the message; with --group it is the message alone.
It reaches those who have joined the very group by then and keep up:
--wait-member waits for the first. Messages that were dropped are counted at the
end, on standard error.

Examples:
  date | ferromq radio --bind tcp://*:5564 --group time --wait-member
  printf 'time\\tnoon\\n' | ferromq radio --connect tcp://collector:5564";

pub(crate) const DISH: &str = "\
A line that comes is the group, a tab and the message.

Examples:
  ferromq dish --connect tcp://127.0.0.1:5564 --group time
  ferromq dish --bind tcp://*:5564 --group time --group log --count 10";

pub(crate) const CHANNEL: &str = "\
A line is a message of one frame: no tabs. Goes on receiving when standard input
has ended, until --count, --timeout or Ctrl-C; --count 0 ends when everything is
sent.

Examples:
  ferromq channel --bind tcp://127.0.0.1:5565
  ferromq channel --connect tcp://127.0.0.1:5565 --file notes.txt --count 0";

pub(crate) const PROXY: &str = "\
Goes on until Ctrl-C, or until the word TERMINATE comes to --control-bind; then
what has passed is told on standard output. A side without room, or without
peers, is not sent to, and the other one waits: nothing is lost but what the
sockets' patterns drop, and that is counted. Proxies may be chained: connect the
frontend of one to the backend of another.

Examples:
  ferromq proxy --frontend-bind tcp://*:5557 --backend-bind tcp://*:5558
  ferromq proxy --type forwarder --frontend-connect tcp://origin:5556 --backend-bind tcp://*:5556
  ferromq proxy --frontend pull --backend push --frontend-bind ipc:///tmp/tasks \\
      --backend-connect tcp://one:5555 --backend-connect tcp://two:5555
  ferromq proxy --frontend-bind tcp://*:5557 --backend-bind tcp://*:5558 \\
      --capture-bind ipc:///tmp/seen --control-bind ipc:///tmp/steer
  ferromq sub --connect ipc:///tmp/seen
  echo STATISTICS | ferromq req --connect ipc:///tmp/steer --format hex
  echo TERMINATE | ferromq req --connect ipc:///tmp/steer";

pub(crate) const SEND: &str = "\
Waits for a receiver, and for one that went away; a file then goes on where it
was, after both sides have compared what is there. Start the same command again
after it was ended, however it was: what has arrived is not sent twice. Exit
code 1 when a file could not be sent (a line says which and why; the others
are).

Examples:
  ferromq send photo.jpg notes.txt --to tcp://server:5560
  ferromq send backup.tar --to ipc:///tmp/files --timeout 30
  ferromq send photo.jpg --to tcp://server:5560 --curve-server-key server.pub \\
      --curve-secret-file client";

pub(crate) const RECEIVE: &str = "\
A file has its name only when it is whole, has the sender's SHA-256, and is on
disk; until then it is .NAME.….ferromq-part, which a later run goes on with and
which may be deleted at any time. A file that is there already stays, unless
--force is given; sending the same one again is no error. Several senders may
send at once. Whoever reaches the endpoint may send files, as with every
receiving verb: loopback and ipc are for this machine only, tcp://* is for all,
unless keys or passwords keep them out.

Examples:
  ferromq receive --at tcp://*:5560 --into inbox
  ferromq receive --at ipc:///tmp/files --into inbox --count 1 --force
  ferromq receive --at tcp://*:5560 --into inbox --curve-secret-file server \\
      --curve-allow clients";

pub(crate) const DEMO: &str = "\
Starts two processes for each row, sends through tcp:// and ipc://, checks with
SHA-256 that everything arrived whole, and leaves nothing behind.

Examples:
  ferromq demo
  ferromq demo --size 64M";
