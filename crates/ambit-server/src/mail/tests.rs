use std::collections::VecDeque;
use std::sync::Mutex;

use ambit_knowledge::Language;
use ambit_protocol::time::Timestamp;
use async_trait::async_trait;
use lettre::message::Message;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::*;
use crate::clock::SystemClock;
use crate::config::{File, Sources};
use crate::entropy::SystemEntropy;

/// A carrier that answers as the test says, and then takes everything.
#[derive(Debug, Default, Clone)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<bool>>>,
    taken: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Carrier for Scripted {
    async fn carry(&self, _: &str, message: &Message) -> Result<(), Undelivered> {
        let answer = self.answers.lock().expect("nobody panics here").pop_front();
        match answer {
            Some(is_final) => Err(Undelivered { reason: "the mail server answered 451".to_owned(), is_final }),
            None => {
                let text = String::from_utf8_lossy(&message.formatted()).into_owned();
                self.taken.lock().expect("nobody panics here").push(text);
                Ok(())
            }
        }
    }
}

const QUICK: Pace =
    Pace { first: Duration::from_millis(1), most: Duration::from_millis(4), give_up: Duration::from_mins(1) };

fn office(carrier: impl Carrier + 'static, pace: Pace, places: u32) -> Mail {
    Mail::by(Some(Box::new(carrier)), nobody(), pace, places, Arc::new(SystemClock), Arc::new(SystemEntropy))
}

fn letter(says: Says) -> Letter {
    let to = "kari@shop.example".parse().expect("an address");
    Letter { to, language: Language::En, brand: "The Shop".to_owned(), says }
}

fn trace() -> TraceId {
    crate::trace::generate(SystemClock.now(), &SystemEntropy)
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_letter_that_is_not_taken_now_is_tried_again_and_one_that_never_will_be_is_not() {
    let carrier = Scripted::default();
    carrier.answers.lock().unwrap().extend([false, false, false]);
    let mail = office(carrier.clone(), QUICK, 10);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    mail.idle().await;
    assert_eq!((count(&mail.counts().sent), count(&mail.counts().retries)), (1, 3));
    carrier.answers.lock().unwrap().push_back(true);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    mail.idle().await;
    assert_eq!((count(&mail.counts().sent), count(&mail.counts().failed)), (1, 1));
    assert_eq!(carrier.taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_letter_is_given_up_when_its_time_is_over() {
    let carrier = Scripted::default();
    carrier.answers.lock().unwrap().extend(std::iter::repeat_n(false, 100));
    let mail = office(carrier.clone(), Pace { give_up: Duration::ZERO, ..QUICK }, 10);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    mail.idle().await;
    assert_eq!((count(&mail.counts().failed), count(&mail.counts().retries)), (1, 0));
}

#[test]
fn the_waits_grow_up_to_a_bound() {
    let pace = Pace { first: FIRST_WAIT, most: LONGEST_WAIT, give_up: Duration::from_hours(4) };
    let waits: Vec<u64> = (1..=8).map(|attempts| pace.before(attempts).as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(pace.before(u32::MAX), LONGEST_WAIT);
}

#[tokio::test]
async fn whoever_posts_waits_for_nothing_and_a_full_queue_drops() {
    let mail = office(Scripted::default(), QUICK, 2);
    let (go_on, gone_on) = tokio::sync::oneshot::channel::<()>();
    let writing = async move {
        gone_on.await.expect("the test says when");
        Ok(Some(letter(Says::PasswordChanged)))
    };
    mail.post(trace(), writing);
    mail.post(trace(), std::future::pending());
    assert_eq!(mail.depth(), 2);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    assert_eq!((mail.depth(), count(&mail.counts().dropped)), (2, 1));
    go_on.send(()).expect("it waits");
    while count(&mail.counts().sent) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mail.close(Duration::from_millis(1)).await, 1, "what never gets written is lost with the process");
}

#[tokio::test]
async fn a_server_that_stops_tries_what_waits_once_more() {
    let carrier = Scripted::default();
    carrier.answers.lock().unwrap().push_back(false);
    let slow = Pace { first: Duration::from_hours(1), most: Duration::from_hours(1), give_up: Duration::from_hours(9) };
    let mail = office(carrier.clone(), slow, 2);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    while count(&mail.counts().retries) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mail.close(Duration::from_mins(1)).await, 0);
    assert_eq!(count(&mail.counts().sent), 1);
    // And gives up what is not taken even then.
    carrier.answers.lock().unwrap().push_back(false);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    mail.idle().await;
    assert_eq!(count(&mail.counts().failed), 1);
}

#[test]
fn a_letter_has_one_link_of_this_server_in_text_and_in_html_and_shows_it_to_no_log() {
    for language in Language::ALL {
        let link = Link::new("https://as.example", "invitation", "TOKEN");
        let letter = Letter { language: *language, ..letter(Says::Invitation(link)) };
        assert!(!format!("{letter:?}").contains("TOKEN"));
        let message = letter.message(&nobody(), "n1", Timestamp::from_secs(1_800_000_000)).expect("a message");
        let text = String::from_utf8(message.formatted()).expect("ASCII on the wire");
        assert!(text.is_ascii());
        for header in [
            "To: kari@shop.example",
            "<ambit@localhost>",
            "Auto-Submitted: auto-generated",
            "Date: Fri, 15 Jan 2027 08:00:00",
            "Message-ID: <n1@localhost>",
            "text/plain",
            "text/html",
        ] {
            assert!(text.contains(header), "{header}: {text}");
        }
    }
}

/// A mail server, as far as one conversation goes: it answers each line by its first word, and keeps what it was told.
async fn server(answers: &'static [(&'static str, &'static str)]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let told = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut told = vec![];
        write.write_all(b"220 mail.example ESMTP\r\n").await.expect("written");
        while let Ok(Some(line)) = lines.next_line().await {
            let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            told.push(line.clone());
            let answer = answers.iter().find(|(asked, _)| *asked == word).map(|(_, answer)| *answer);
            if let Some(answer) = answer {
                write.write_all(answer.as_bytes()).await.expect("written");
            } else if line == "." {
                write.write_all(b"250 2.0.0 taken\r\n").await.expect("written");
                break;
            }
        }
        told
    });
    (port, told)
}

fn smtp(port: u16, more: &str) -> Config {
    let text = format!("[mail]\nhost = '127.0.0.1'\nport = {port}\ntls = 'off'\nfrom = 'no-reply@as.example'\n{more}");
    let sources = Sources { file: Some(File { name: "ambit.toml".to_owned(), text }), ..Sources::default() };
    Config::load(&sources).expect("a configuration")
}

#[tokio::test]
async fn a_mail_server_is_handed_the_letter_with_our_credentials() {
    let (port, told) = server(&[
        ("EHLO", "250-mail.example\r\n250 AUTH PLAIN\r\n"),
        ("AUTH", "235 2.7.0 welcome\r\n"),
        ("MAIL", "250 2.1.0 ok\r\n"),
        ("RCPT", "250 2.1.5 ok\r\n"),
        ("DATA", "354 go on\r\n"),
    ])
    .await;
    let config = smtp(port, "username = 'ambit'\npassword = 'PASSWORD'");
    let mail = Mail::start(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a mail server");
    mail.post_letter(trace(), letter(Says::SignInCode(Zeroizing::new("1234 5678".to_owned()))));
    mail.idle().await;
    assert_eq!(count(&mail.counts().sent), 1);
    let told = told.await.expect("a conversation").join("\n");
    // RFC 4616: NUL, the name, NUL, the password.
    for said in [
        "AUTH PLAIN AGFtYml0AFBBU1NXT1JE",
        "MAIL FROM:<no-reply@as.example>",
        "RCPT TO:<kari@shop.example>",
        "1234 5678",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[tokio::test]
async fn what_a_mail_server_says_about_an_address_is_in_no_reason() {
    let (port, _told) = server(&[
        ("EHLO", "250 mail.example\r\n"),
        ("MAIL", "250 2.1.0 ok\r\n"),
        ("RCPT", "550 5.1.1 <kari@shop.example>: no such user\r\n"),
        ("QUIT", "221 2.0.0 bye\r\n"),
    ])
    .await;
    let carrier = Smtp::new(&smtp(port, "").mail).expect("a mail server");
    let message = letter(Says::PasswordChanged).message(&nobody(), "n1", SystemClock.now()).expect("a message");
    let undelivered = carrier.carry("n1", &message).await.expect_err("it is not taken");
    assert_eq!((undelivered.reason.as_str(), undelivered.is_final), ("the mail server answered 550", true));
}

#[tokio::test]
async fn a_mail_server_that_stops_answering_keeps_nobody_waiting() {
    let (port, _told) = server(&[("EHLO", "250 mail.example\r\n")]).await;
    let carrier = Smtp::new(&smtp(port, "timeout = '100 ms'").mail).expect("a mail server");
    let message = letter(Says::PasswordChanged).message(&nobody(), "n1", SystemClock.now()).expect("a message");
    let undelivered = carrier.carry("n1", &message).await.expect_err("it is not taken");
    assert_eq!((undelivered.reason.as_str(), undelivered.is_final), ("the mail server does not answer", false));
}

#[tokio::test]
async fn a_mail_server_that_cannot_go_over_to_tls_is_told_nothing() {
    let (port, told) = server(&[("EHLO", "250 mail.example\r\n"), ("QUIT", "221 bye\r\n")]).await;
    let config = smtp(port, "").mail;
    let config = crate::config::Mail { tls: crate::config::MailTls::Starttls, ..config };
    let carrier = Smtp::new(&config).expect("a mail server");
    let message = letter(Says::PasswordChanged).message(&nobody(), "n1", SystemClock.now()).expect("a message");
    assert!(carrier.carry("n1", &message).await.is_err());
    drop(carrier);
    let told = told.await.expect("a conversation").join("\n");
    assert!(!told.contains("MAIL") && !told.contains("kari"), "{told}");
}

#[tokio::test]
async fn files_are_their_owners_alone_and_so_is_a_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("mail");
    let mail = office(Files::new(folder.clone()).expect("a folder"), QUICK, 4);
    mail.post_letter(trace(), letter(Says::PasswordChanged));
    mail.idle().await;
    let files: Vec<_> = std::fs::read_dir(&folder).expect("a folder").map(|it| it.expect("a file").path()).collect();
    assert_eq!(files.len(), 1);
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&files[0])), (0o700, 0o600));

    let file = dir.path().join("password");
    std::fs::write(&file, "PASSWORD\n").expect("written");
    let start = || {
        let more = format!("username = 'ambit'\npassword_file = '{}'", file.display());
        Smtp::new(&smtp(25, &more).mail)
    };
    for (mode, is_good) in [(0o604, false), (0o640, true), (0o600, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("changed");
        let started = start();
        assert_eq!(started.is_ok(), is_good, "{mode:o}");
        assert!(!format!("{started:?}").contains("PASSWORD"), "{started:?}");
    }
}
