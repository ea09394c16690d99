// A program in Rust, whose library has its own way with system calls: TCP and
// UDP of both families, threads, time-outs.
//
//	net serve PORT           TCP: one thread a connection, back what comes
//	net send HOST PORT N     N bytes there and back, then half-close
//	net refused HOST PORT    what a connect to a port without a listener says
//	net silent ADDR:PORT MS  what a connect that nobody answers says
//	net echo PORT            UDP: sends every datagram back
//	net ask HOST:PORT N      N datagrams to an echo, each answered
use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{} is no number", text))
}

fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("::", port))?;
    println!("serving {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let mut from = stream?;
        thread::spawn(move || -> io::Result<()> {
            println!("from {}", from.peer_addr()?);
            let mut to = from.try_clone()?;
            io::copy(&mut from, &mut to)?;
            to.shutdown(Shutdown::Write)
        });
    }
    Ok(())
}

fn send(host: &str, port: u16, n: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect((host, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    // asked for while there is a connection
    let (own, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let data: Vec<u8> = (0..n).map(|i| (i % 251) as u8).collect();
    let mut back = stream.try_clone()?;
    let reader = thread::spawn(move || -> io::Result<Vec<u8>> {
        let mut got = Vec::new();
        back.read_to_end(&mut got)?;
        Ok(got)
    });
    stream.write_all(&data)?;
    stream.shutdown(Shutdown::Write)?;
    let got = reader.join().expect("reader")?;
    println!(
        "local {} peer {} nodelay {} same {}",
        own.ip(),
        peer,
        stream.nodelay()?,
        got == data
    );
    Ok(())
}

fn echo(port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind(("::", port))?;
    let mut data = [0u8; 2048];
    println!("echoing {}", socket.local_addr()?);
    loop {
        let (n, who) = socket.recv_from(&mut data)?;
        socket.send_to(&data[..n], who)?;
    }
}

fn ask(server: SocketAddr, n: usize) -> io::Result<()> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    let mut data = [0u8; 2048];
    let mut answers = 0;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    socket.connect(server)?;
    for i in 0..n {
        let text = format!("question {}", i);
        socket.send(text.as_bytes())?;
        let got = socket.recv(&mut data)?;
        answers += (&data[..got] == text.as_bytes()) as usize;
    }
    println!("{} answers to {}", answers, socket.local_addr()?.ip());
    Ok(())
}

fn failed(what: io::Result<TcpStream>) -> io::Result<()> {
    match what {
        Ok(stream) => println!("connected to {}", stream.peer_addr()?),
        Err(e) => println!("{:?}", e.kind()),
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let words: Vec<&str> = args[1..].iter().map(|s| s.as_str()).collect();
    match words[..] {
        ["serve", port] => serve(number(port)),
        ["send", host, port, n] => send(host, number(port), number(n)),
        ["refused", host, port] => {
            failed(TcpStream::connect((host, number(port))))
        }
        ["silent", to, ms] => failed(TcpStream::connect_timeout(
            &number(to),
            Duration::from_millis(number(ms)),
        )),
        ["echo", port] => echo(number(port)),
        ["ask", to, n] => ask(number(to), number(n)),
        _ => panic!("what? {:?}", words),
    }
}
