//! A client and a server in memory: logins, channels, forwards, key exchanges, keepalives, ends.

use adit_auth::Method;
use adit_auth::client::Ask;
use adit_auth::server::Policy;
use adit_engine::{Blocked, Error, Forward, Keepalive, Open, Outcome, Request, open_failure};
use adit_testkit::keys::{client_config, client_transport, key, server_config, server_transport};
use adit_testkit::{End, Habits, Hospitality, Manners, Pair, Pieces, Seen};
use adit_transport::RekeyLimits;

/// A pair whose ends behave as `arrange` says.
fn pair_where(arrange: impl FnOnce(&mut Manners, &mut Manners)) -> Pair {
    let mut pair = Pair::default();
    arrange(&mut pair.client.manners, &mut pair.server.manners);
    pair
}

/// The methods that brought the client in.
fn logged_in_by(pair: &mut Pair) -> Vec<Method> {
    pair.run();
    assert!(pair.server.seen.contains(&Seen::Established), "{:#?}", pair.server.seen);
    let success = pair.client.seen.iter().find_map(|seen| match seen {
        Seen::Login(Ask::Success { method, partial }) => Some([&partial[..], &[*method]].concat()),
        _ => None,
    });
    success.unwrap_or_else(|| panic!("{:#?}", pair.client.seen))
}

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ seed).collect()
}

mod logins {
    use super::*;

    #[test]
    fn a_key_logs_in() {
        assert_eq!(logged_in_by(&mut pair_where(|_, _| ())), [Method::Publickey]);
    }

    #[test]
    fn a_key_signed_at_once_logs_in() {
        let mut pair = pair_where(|client, _| client.sign_at_once = true);
        assert_eq!(logged_in_by(&mut pair), [Method::Publickey]);
    }

    #[test]
    fn the_second_key_logs_in_when_the_first_is_not_authorized() {
        let mut pair = pair_where(|client, _| client.keys.push_front(key(2)));
        assert_eq!(logged_in_by(&mut pair), [Method::Publickey]);
    }

    #[test]
    fn prompts_log_in_when_no_key_does() {
        let mut pair = pair_where(|client, _| client.keys.clear());
        assert_eq!(logged_in_by(&mut pair), [Method::KeyboardInteractive]);
    }

    #[test]
    fn a_password_logs_in_where_prompts_are_not_enabled() {
        let mut pair = pair_where(|client, server| {
            client.keys.clear();
            client.secrets = ["wrong", "secret"].into();
            server.policy.methods = vec![Method::Password];
        });
        assert_eq!(logged_in_by(&mut pair), [Method::Password]);
        assert!(pair.client.seen.contains(&Seen::Login(Ask::TryAgain(Method::Password))));
    }

    #[test]
    fn an_expired_password_is_changed_on_the_way_in() {
        let mut pair = pair_where(|client, server| {
            client.keys.clear();
            client.secrets = ["secret", "secret", "new"].into();
            server.policy.methods = vec![Method::Password];
            server.expired = true;
        });
        assert_eq!(logged_in_by(&mut pair), [Method::Password]);
    }

    #[test]
    fn a_key_and_a_password_log_in_where_both_are_wanted() {
        let mut pair = pair_where(|_, server| {
            server.policy.required = vec![vec![Method::Publickey, Method::Password]];
        });
        assert_eq!(logged_in_by(&mut pair), [Method::Publickey, Method::Password]);
    }

    #[test]
    fn a_banner_is_shown_before_the_login() {
        let mut pair = pair_where(|_, server| {
            server.policy = Policy { banner: Some(b"no trespassing".into()), ..Policy::default() };
        });
        logged_in_by(&mut pair);
        let banner = Seen::Login(Ask::Banner(b"no trespassing".into()));
        assert!(pair.client.seen.contains(&banner));
    }

    #[test]
    fn a_client_with_nothing_to_offer_is_told_what_would_have_done() {
        let mut pair = pair_where(|client, _| {
            client.keys.clear();
            client.secrets.clear();
        });
        pair.run();
        let methods = "publickey,keyboard-interactive,password".into();
        assert_eq!(pair.client.seen.last(), Some(&Seen::Login(Ask::Failed { methods })));
        assert!(!pair.server.engine.is_established());
    }

    #[test]
    fn too_many_failures_end_the_connection() {
        let mut pair = pair_where(|client, server| {
            client.keys = (10..20).map(key).collect();
            server.policy.max_tries = 3;
        });
        pair.run();
        let text = b"Too many authentication failures".to_vec();
        assert!(pair.client.seen.contains(&Seen::Disconnected(2, text)), "{:#?}", pair.client.seen);
        assert_eq!(pair.server.error(), Some(&Error::Auth(adit_auth::Violation::TooManyFailures)));
    }

    #[test]
    fn a_host_key_that_is_not_trusted_ends_it_with_reason_9() {
        let mut pair = pair_where(|client, _| client.trusts_host = false);
        pair.run();
        assert!(matches!(pair.server.seen.last(), Some(Seen::Failed(_))));
        let told = |seen: &Seen| matches!(seen, Seen::Disconnected(9, _));
        assert!(pair.server.seen.iter().any(told), "{:#?}", pair.server.seen);
        let error = Error::Transport(adit_transport::Error::HostKeyRejected);
        assert_eq!(pair.client.error(), Some(&error));
    }

    #[test]
    fn nothing_goes_on_while_the_host_key_is_looked_at() {
        let mut pair = Pair::default();
        pair.client.manners.trusts_host = true;
        pair.run();
        assert_eq!(pair.client.engine.host_key(), key(7).public_blob());
        assert_eq!(pair.client.engine.session_id(), pair.server.engine.session_id());
        assert_eq!(pair.client.engine.negotiated(), pair.server.engine.negotiated());
    }
}

mod channels {
    use super::*;

    #[test]
    fn data_goes_both_ways_to_the_last_byte() {
        let mut pair = Pair::established();
        let (ours, theirs) = pair.channel();
        // More than a window.
        let (up, down) = (bytes(700_000, 1), bytes(900_001, 2));
        pair.client.send(ours, &up);
        pair.server.send(theirs, &down);
        pair.client.settle();
        pair.server.settle();
        pair.run();
        assert!(pair.server.flow(theirs).received == up, "client to server");
        assert!(pair.client.flow(ours).received == down, "server to client");
    }

    #[test]
    fn eof_leaves_the_other_direction_open() {
        let mut pair = Pair::established();
        let (ours, theirs) = pair.channel();
        pair.client.send(ours, b"question");
        pair.client.send_eof(ours);
        pair.client.settle();
        pair.run();
        assert_eq!(pair.server.flow(theirs).received, b"question");
        assert!(pair.server.flow(theirs).eof_seen);
        let Pair { client, .. } = &mut pair;
        assert_eq!(client.engine.reserve(ours, 1, &mut client.tx).err(), Some(Blocked::EofSent));
        pair.server.send(theirs, b"answer");
        pair.server.send_eof(theirs);
        pair.server.settle();
        pair.run();
        assert_eq!(pair.client.flow(ours).received, b"answer");
        assert!(pair.client.flow(ours).eof_seen);
        close_both(&mut pair, ours, theirs);
        pair.assert_nothing_left();
    }

    fn close_both(pair: &mut Pair, ours: adit_engine::Channel, theirs: adit_engine::Channel) {
        pair.client.close(ours);
        pair.client.settle();
        pair.run();
        assert!(pair.server.seen.iter().any(|seen| matches!(seen, Seen::Closed { .. })));
        pair.server.close(theirs);
        pair.server.settle();
        pair.run();
    }

    #[test]
    fn a_close_without_eof_tells_that_data_may_be_cut_off() {
        let mut pair = Pair::established();
        let (ours, theirs) = pair.channel();
        close_both(&mut pair, ours, theirs);
        let closed = Seen::Closed { channel: theirs, eof_seen: false };
        assert!(pair.server.seen.contains(&closed));
        pair.assert_nothing_left();
    }

    #[test]
    fn a_reader_that_delivers_nothing_stops_the_sender_at_the_window() {
        let mut pair = Pair::established();
        let (ours, theirs) = pair.channel();
        pair.server.manners.delivers = false;
        pair.client.send(ours, &bytes(1_000_000, 3));
        pair.client.settle();
        pair.run();
        let window = adit_connection::Config::new(adit_connection::Side::Server).initial_window;
        assert_eq!(pair.server.flow(theirs).received.len(), window as usize);
        let Pair { client, .. } = &mut pair;
        assert_eq!(client.engine.reserve(ours, 1, &mut client.tx).err(), Some(Blocked::Window));
        pair.server.manners.delivers = true;
        pair.server.deliver(theirs, usize::MAX);
        pair.server.settle();
        pair.run();
        assert_eq!(pair.server.flow(theirs).received, bytes(1_000_000, 3));
    }

    #[test]
    fn a_stopped_channel_stops_no_other() {
        let mut pair = Pair::established();
        let (stopped, _) = pair.channel();
        let (other, theirs) = pair.channel();
        pair.server.manners.delivers = false;
        pair.client.send(stopped, &bytes(1_000_000, 4));
        pair.client.send(other, b"hello");
        pair.client.settle();
        pair.run();
        assert_eq!(pair.server.flow(theirs).received, b"hello");
    }

    #[test]
    fn many_channels_each_carry_their_own_and_leave_nothing() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Echo;
        let open = Open::direct_tcpip("db", 1, "127.0.0.1", 2);
        let channels: Vec<_> = (0..300).map(|_| pair.client.open(&open)).collect();
        for (at, channel) in channels.iter().enumerate() {
            pair.client.send(*channel, &bytes(3000 + at, at as u8));
            pair.client.send_eof(*channel);
        }
        pair.client.settle();
        pair.run();
        for (at, channel) in channels.iter().enumerate() {
            let flow = pair.client.flow(*channel);
            assert!(flow.eof_seen && flow.received == bytes(3000 + at, at as u8));
            pair.client.close(*channel);
        }
        pair.client.settle();
        pair.run();
        let theirs: Vec<_> = pair.server.flows.keys().copied().collect();
        theirs.into_iter().for_each(|channel| pair.server.close(channel));
        pair.server.settle();
        pair.run();
        pair.assert_nothing_left();
    }

    #[test]
    fn a_refused_open_brings_reason_and_words() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Refuse(open_failure::CONNECT_FAILED);
        let channel = pair.client.open(&Open::direct_tcpip("nowhere", 1, "127.0.0.1", 2));
        pair.client.settle();
        pair.run();
        let Some(Seen::OpenFailed { channel: failed, failure }) = pair.client.seen.last() else {
            panic!("{:#?}", pair.client.seen)
        };
        assert_eq!((*failed, failure.reason), (channel, open_failure::CONNECT_FAILED));
        assert_eq!(*failure.description, *b"not here");
        pair.assert_nothing_left();
    }

    #[test]
    fn data_waits_for_the_answer_to_the_open() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Leave;
        let channel = pair.client.open(&Open::direct_tcpip("slow", 1, "127.0.0.1", 2));
        pair.client.settle();
        pair.run();
        let Pair { client, .. } = &mut pair;
        assert_eq!(client.engine.reserve(channel, 1, &mut client.tx).err(), Some(Blocked::Opening));
        let Some(Seen::Open { channel: theirs, .. }) = pair.server.seen.last() else { panic!() };
        let theirs = *theirs;
        pair.server.accept(theirs);
        pair.server.settle();
        pair.run();
        assert_eq!(pair.client.seen.last(), Some(&Seen::Opened(channel)));
    }

    #[test]
    fn a_session_request_is_asked_and_answered() {
        let mut pair = Pair::established();
        let channel = pair.client.open(&Open::Session);
        pair.client.settle();
        pair.run();
        let exec = Request::Exec { command: b"uptime".into() };
        let asked = pair.client.engine.request(channel, &exec, true).unwrap().unwrap();
        pair.client.settle();
        pair.run();
        let Some(Seen::ChannelRequest { channel: theirs, request, .. }) = pair.server.seen.last()
        else {
            panic!("{:#?}", pair.server.seen)
        };
        assert_eq!(*request, exec);
        let theirs = *theirs;
        pair.server.engine.answer_request(theirs, true);
        pair.server.engine.request(theirs, &Request::ExitStatus(3), false).unwrap();
        pair.server.settle();
        pair.run();
        let reply = Seen::ChannelReply { channel, request: asked, success: true };
        assert!(pair.client.seen.contains(&reply));
        let Some(Seen::ChannelRequest { request, .. }) = pair.client.seen.last() else { panic!() };
        assert_eq!(*request, Request::ExitStatus(3));
    }
}

mod forwards {
    use super::*;

    fn asked(pair: &mut Pair, port: u32) -> adit_engine::RequestId {
        let forward = Forward::tcpip("localhost", port);
        let request = pair.client.engine.request_forward(forward).unwrap();
        pair.client.settle();
        pair.run();
        request
    }

    #[test]
    fn a_forward_lets_the_server_open_until_it_is_cancelled() {
        let mut pair = Pair::established();
        let request = asked(&mut pair, 0);
        let listening = Outcome::Listening { port: 40_000 };
        assert_eq!(pair.client.seen.last(), Some(&Seen::Reply { request, outcome: listening }));

        let open = Open::forwarded_tcpip("localhost", 40_000, "10.0.0.1", 5);
        let theirs = pair.server.open(&open);
        pair.server.send(theirs, b"knock");
        pair.server.settle();
        pair.run();
        let ours = pair.client.seen.iter().find_map(|seen| match seen {
            Seen::Open { channel, forward, .. } => {
                assert_eq!(*forward, Some(request));
                Some(*channel)
            }
            _ => None,
        });
        assert_eq!(pair.client.flow(ours.unwrap()).received, b"knock");

        let cancel = pair.client.engine.cancel_forward(request).unwrap();
        pair.client.settle();
        pair.run();
        let cancelled = Seen::CancelForwardRequested(Forward::tcpip("localhost", 40_000));
        assert!(pair.server.seen.contains(&cancelled));
        assert!(matches!(
            pair.client.seen.last(),
            Some(Seen::Reply { request, outcome: Outcome::Done(_) }) if *request == cancel
        ));
        let refused = pair.server.open(&open);
        pair.server.settle();
        pair.run();
        assert!(matches!(
            pair.server.seen.last(),
            Some(Seen::OpenFailed { channel, .. }) if *channel == refused
        ));
        assert!(matches!(pair.client.seen.last(), Some(Seen::ForwardUnknown(_))));
    }

    #[test]
    fn a_refused_forward_is_no_forward() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Refuse(1);
        let request = asked(&mut pair, 8080);
        let refused = Seen::Reply { request, outcome: Outcome::Refused };
        assert_eq!(pair.client.seen.last(), Some(&refused));
        assert!(pair.client.engine.cancel_forward(request).is_err());
    }

    #[test]
    fn a_servers_keys_are_named_asked_for_and_proven() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Leave;
        let key = key(9).public_blob();
        pair.server.engine.announce_host_keys(&[&key]);
        pair.server.settle();
        pair.run();
        let Some(Seen::HostKeys(named)) = pair.client.seen.last() else { panic!() };
        assert!(adit_engine::host_keys(named).eq([Ok(&key[..])]));
        let request = pair.client.engine.prove_host_keys(&[&key]).unwrap();
        pair.client.settle();
        pair.run();
        let Some(Seen::HostKeysProve(asked)) = pair.server.seen.last() else { panic!() };
        assert!(adit_engine::host_keys(asked).eq([Ok(&key[..])]));
        let token = pair.server.tokens.pop_front().unwrap();
        pair.server.engine.reply(token, adit_engine::Answer::Data(b"signatures"));
        pair.server.settle();
        pair.run();
        let outcome = Outcome::Done(b"signatures"[..].into());
        assert_eq!(pair.client.seen.last(), Some(&Seen::Reply { request, outcome }));
    }

    #[test]
    fn replies_come_in_the_order_of_the_requests() {
        let mut pair = Pair::established();
        pair.server.manners.hospitality = Hospitality::Leave;
        let requests = [asked(&mut pair, 1), asked(&mut pair, 2), asked(&mut pair, 3)];
        while let Some(token) = pair.server.tokens.pop_back() {
            pair.server.engine.reply(token, adit_engine::Answer::Success);
        }
        pair.server.settle();
        pair.run();
        let replies = pair.client.seen.iter().filter_map(|seen| match seen {
            Seen::Reply { request, outcome: Outcome::Listening { port } } => {
                Some((*request, *port))
            }
            _ => None,
        });
        assert_eq!(
            replies.collect::<Vec<_>>(),
            [(requests[0], 1), (requests[1], 2), (requests[2], 3)]
        );
    }
}

mod key_exchanges {
    use super::*;

    /// Data both ways over slow links, with `during` called now and then.
    fn data_while(mut pair: Pair, mut during: impl FnMut(&mut Pair, usize)) -> Pair {
        let (ours, theirs) = pair.channel();
        let habits = || Habits { given: Pieces::Of(5000), delay_ms: 3, ..Habits::default() };
        pair.set_habits(habits(), habits());
        let (up, down) = (bytes(400_000, 5), bytes(400_000, 6));
        pair.client.send(ours, &up);
        pair.server.send(theirs, &down);
        pair.client.settle();
        pair.server.settle();
        for turn in 0..400 {
            during(&mut pair, turn);
            pair.wait(1);
        }
        pair.run();
        assert!(pair.server.flow(theirs).received == up, "client to server");
        assert!(pair.client.flow(ours).received == down, "server to client");
        pair
    }

    fn rekeys(end: &End) -> usize {
        let again = |seen: &&Seen| **seen == Seen::KeysExchanged { first: false };
        end.seen.iter().filter(again).count()
    }

    #[test]
    fn the_client_may_ask_for_new_keys_while_data_flows() {
        let pair = data_while(Pair::established(), |pair, turn| {
            if turn % 40 == 5 {
                pair.client.rekey();
            }
        });
        assert_eq!([rekeys(&pair.client), rekeys(&pair.server)], [10, 10]);
    }

    #[test]
    fn the_server_may_ask_for_new_keys_while_data_flows() {
        let pair = data_while(Pair::established(), |pair, turn| {
            if turn % 40 == 5 {
                pair.server.rekey();
            }
        });
        assert_eq!([rekeys(&pair.client), rekeys(&pair.server)], [10, 10]);
    }

    #[test]
    fn both_may_ask_for_new_keys_at_once() {
        let pair = data_while(Pair::established(), |pair, turn| {
            if turn % 80 == 5 {
                pair.client.rekey();
                pair.server.rekey();
            }
        });
        assert_eq!([rekeys(&pair.client), rekeys(&pair.server)], [5, 5]);
    }

    #[test]
    fn a_limit_of_bytes_makes_new_keys() {
        let rekey = RekeyLimits { bytes: 100_000, ..RekeyLimits::default() };
        let transport = adit_transport::Config { rekey, ..client_transport() };
        let pair = Pair::new(client_config(transport), server_config(server_transport()));
        let pair = data_while(pair.logged_in(), |_, _| ());
        assert!(rekeys(&pair.client) >= 3, "{}", rekeys(&pair.client));
    }

    #[test]
    fn a_limit_of_time_makes_new_keys() {
        let rekey = RekeyLimits { after_ms: 1000, ..RekeyLimits::default() };
        let transport = adit_transport::Config { rekey, ..server_transport() };
        let pair = Pair::new(client_config(client_transport()), server_config(transport));
        let mut pair = pair.logged_in();
        pair.wait(10_500);
        assert_eq!([rekeys(&pair.client), rekeys(&pair.server)], [10, 10]);
    }

    #[test]
    fn commands_given_while_keys_are_exchanged_leave_afterwards() {
        let mut pair = Pair::established();
        pair.client.rekey();
        let channel = pair.client.open(&Open::direct_tcpip("db", 1, "127.0.0.1", 2));
        pair.client.send(channel, b"after");
        pair.client.settle();
        pair.run();
        assert!(pair.client.seen.contains(&Seen::Opened(channel)));
        let theirs = *pair.server.flows.keys().next().unwrap();
        assert_eq!(pair.server.flow(theirs).received, b"after");
    }
}

mod keepalives {
    use super::*;

    const EVERY_SECOND: Option<Keepalive> = Some(Keepalive { interval_ms: 1000, count_max: 3 });

    fn watchful() -> Pair {
        let mut client = client_config(client_transport());
        client.keepalive = EVERY_SECOND;
        Pair::new(client, server_config(server_transport())).logged_in()
    }

    #[test]
    fn a_peer_that_answers_is_kept() {
        let mut pair = watchful();
        pair.wait(60_000);
        assert_eq!(pair.client.error(), None);
        let asked = pair.client.engine.counters().sent.packets;
        assert!((60..80).contains(&asked), "{asked}");
    }

    #[test]
    fn a_peer_that_answers_nothing_is_given_up() {
        let mut pair = watchful();
        pair.up.cut();
        let begun = pair.now;
        while pair.client.error().is_none() {
            pair.wait(100);
        }
        assert_eq!(pair.client.error(), Some(&Error::Timeout));
        // Three askings, each a second after the last, and a second for the last.
        assert_eq!((pair.now - begun).div_ceil(1000), 4);
        assert_eq!(pair.client.engine.next_deadline(), None);
    }

    #[test]
    fn answers_to_keepalives_are_nobodys_business() {
        let mut pair = watchful();
        pair.wait(5000);
        let replies = pair.client.seen.iter().filter(|seen| matches!(seen, Seen::Reply { .. }));
        assert_eq!(replies.count(), 0, "{:#?}", pair.client.seen);
    }
}

mod ends {
    use super::*;

    #[test]
    fn a_disconnect_is_told_and_nothing_follows() {
        let mut pair = Pair::established();
        let (_, theirs) = pair.channel();
        pair.client.engine.disconnect("bye", &mut pair.client.tx);
        pair.client.turn();
        pair.run();
        let error = Error::Transport(adit_transport::Error::Disconnected { reason_code: 11 });
        assert_eq!(
            pair.server.seen[pair.server.seen.len() - 2..],
            [Seen::Disconnected(11, b"bye".into()), Seen::Failed(error)]
        );
        let Pair { server, .. } = &mut pair;
        assert_eq!(server.engine.reserve(theirs, 1, &mut server.tx).err(), Some(Blocked::Closed));
        assert!(pair.server.tx.is_empty(), "a disconnect is not answered");
    }

    #[test]
    fn what_was_said_before_the_disconnect_is_heard() {
        let mut pair = Pair::established();
        let (ours, theirs) = pair.channel();
        pair.client.send(ours, b"last words");
        pair.client.send_eof(ours);
        pair.client.settle();
        pair.client.engine.disconnect("bye", &mut pair.client.tx);
        pair.run();
        assert_eq!(pair.server.flow(theirs).received, b"last words");
        assert!(pair.server.flow(theirs).eof_seen);
    }

    #[test]
    fn a_link_cut_anywhere_leaves_an_exact_prefix() {
        let whole = bytes(100_000, 9);
        for cut_at in (0..100_000).step_by(997) {
            let mut pair = Pair::established();
            let (ours, theirs) = pair.channel();
            let habits = Habits { cut_at: Some(cut_at), ..Habits::default() };
            pair.set_habits(habits, Habits::default());
            pair.client.send(ours, &whole);
            pair.client.send_eof(ours);
            pair.client.settle();
            pair.run();
            let flow = pair.server.flow(theirs);
            assert!(whole.starts_with(&flow.received) && !flow.eof_seen);
            assert!(flow.received.len() <= cut_at as usize);
            assert_eq!(pair.server.seen.last(), Some(&Seen::LinkCut));
            assert_eq!(pair.server.error(), None);
        }
    }
}
