//! smoke
use ferromq_mio::*;
use ferromq_transport_tcp::{Ipc, Tcp};
use std::time::Duration;

fn context() -> Context {
    Context::builder()
        .transport(Tcp)
        .transport(Ipc)
        .build()
        .unwrap()
}

#[test]
fn push_pull_many() {
    let ctx = context();
    let pull = ctx.socket::<Pull>().unwrap();
    let ep = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let push = ctx.socket::<Push>().unwrap();
    push.connect(&ep).unwrap();
    let t = std::thread::spawn(move || {
        for i in 0..200_000u32 {
            push.send_bytes(&i.to_le_bytes()).unwrap();
        }
    });
    for i in 0..200_000u32 {
        let m = pull.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(m.frame(0).unwrap()[..], i.to_le_bytes());
    }
    t.join().unwrap();
}
#[test]
fn req_rep() {
    let ctx = context();
    let rep = ctx.socket::<Rep>().unwrap();
    let ep = rep.bind("ipc://*").unwrap().to_string();
    let req = ctx.socket::<Req>().unwrap();
    req.connect(&ep).unwrap();
    let t = std::thread::spawn(move || {
        for _ in 0..1000 {
            let m = rep.recv_timeout(Duration::from_secs(10)).unwrap();
            rep.send(m).unwrap();
        }
    });
    for i in 0..1000 {
        req.send(format!("hi {i}")).unwrap();
        let m = req.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(&m.frame(0).unwrap()[..], format!("hi {i}").as_bytes());
    }
    t.join().unwrap();
}
#[test]
fn pub_sub() {
    let ctx = context();
    let p = ctx.socket::<Pub>().unwrap();
    let ep = p.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let s = ctx.socket::<Sub>().unwrap();
    s.subscribe("a").unwrap();
    s.connect(&ep).unwrap();
    assert!(p.wait_for_peers(1, Duration::from_secs(5)).unwrap());
    let mut n = 0;
    loop {
        p.send_parts(&[b"abc", b"x"]).unwrap();
        p.send_bytes(b"b").unwrap();
        if let Ok(m) = s.recv_timeout(Duration::from_millis(20)) {
            assert_eq!(m.len(), 2);
            break;
        }
        n += 1;
        assert!(n < 100);
    }
}
#[test]
fn large() {
    let ctx = context();
    let pull = ctx.socket::<Pull>().unwrap();
    let ep = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let push = ctx.socket::<Push>().unwrap();
    push.connect(&ep).unwrap();
    let data: Vec<u8> = (0..50_000_000u32)
        .map(|x| (x.wrapping_mul(2654435761) >> 13) as u8)
        .collect();
    let d2 = data.clone();
    let t = std::thread::spawn(move || {
        push.send_bytes(&d2).unwrap();
        push.send(Message::from(vec![
            Frame::from("x"),
            Frame::from(d2.clone()),
            Frame::from("y"),
        ]))
        .unwrap();
        push.send("end").unwrap();
    });
    let m = pull.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(m.frame(0).unwrap()[..] == data[..]);
    let m = pull.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(m.len(), 3);
    assert!(m.frame(1).unwrap()[..] == data[..]);
    assert_eq!(m.frame(1).unwrap().as_ptr() as usize % 64, 0);
    let m = pull.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(&m.frame(0).unwrap()[..], b"end");
    t.join().unwrap();
}
#[test]
fn dealer_router() {
    let ctx = context();
    let r = ctx.socket::<Router>().unwrap();
    let ep = r.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let d = ctx
        .socket_with::<Dealer>(Options::new().identity("me"))
        .unwrap();
    d.connect(&ep).unwrap();
    d.send(["a", "b"]).unwrap();
    let m = r.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(m.len(), 3);
    assert_eq!(&m.frame(0).unwrap()[..], b"me");
    assert_eq!(m.peer().unwrap().socket_type(), "DEALER");
    r.send(m).unwrap();
    assert_eq!(d.recv_timeout(Duration::from_secs(5)).unwrap().len(), 2);
}
