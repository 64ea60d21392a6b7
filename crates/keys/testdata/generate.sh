#!/bin/sh
# Makes the keys, certificates and lists the tests read, anew. They guard nothing.
# Needs ssh-keygen and openssl; the files in the repository are of OpenSSH 9.2 and OpenSSL 3.0.
set -eu
umask 077
cd "$(dirname "$0")"
rm -rf private certificate && mkdir private certificate
secret=passphrase

cd private
convert() { # from, to, options of ssh-keygen
    cp "$1" "$2"; target=$2; shift 2
    ssh-keygen -q -p -P '' "$@" -f "$target" >/dev/null
}
make() { # name, options of ssh-keygen
    name=$1; shift
    ssh-keygen -q -N '' -C "$name@adit" -f "$name" "$@"
    mv "$name" "$name.openssh"
    convert "$name.openssh" "$name.openssh.locked" -N "$secret" -a 2
    [ "$name" = ed25519 ] && return
    for format in PEM PKCS8; do
        convert "$name.openssh" "$name.$format" -m "$format" -N ''
        convert "$name.openssh" "$name.$format.locked" -m "$format" -N "$secret"
    done
}
make ed25519 -t ed25519
make p256 -t ecdsa -b 256
make p384 -t ecdsa -b 384
make p521 -t ecdsa -b 521
make rsa -t rsa -b 2048

for cipher in 3des-cbc aes128-cbc aes192-cbc aes256-cbc aes128-ctr aes192-ctr aes256-ctr \
    aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com; do
    convert ed25519.openssh "ed25519.$cipher.locked" -N "$secret" -a 2 -Z "$cipher"
done

# A scalar with a leading zero byte: the file holds one byte less.
while :; do
    ssh-keygen -q -N '' -C short@adit -f short -t ecdsa -b 256
    sed '1d;$d' short | base64 -d | od -An -v -tx1 | tr -d ' \n' |
        grep -qE '0000004104[0-9a-f]{128}0000001f' && break
    rm short short.pub
done
mv short short.openssh

# An RSA key too short to be used, and its file.
ssh-keygen -q -t rsa -b 1024 -N '' -C short -f short-rsa

# What only openssl writes.
openssl rsa -in rsa.PEM -traditional -des3 -passout "pass:$secret" -out rsa.PEM-des3.locked 2>/dev/null
openssl rsa -in rsa.PEM -traditional -aes256 -passout "pass:$secret" -out rsa.PEM-aes256.locked 2>/dev/null
openssl pkcs8 -topk8 -in rsa.PEM -v2 des3 -v2prf hmacWithSHA1 -passout "pass:$secret" -out rsa.PKCS8-des3.locked
openssl pkcs8 -topk8 -in rsa.PEM -v2 aes-256-cbc -v2prf hmacWithSHA512 -passout "pass:$secret" -out rsa.PKCS8-sha512.locked
openssl pkcs8 -topk8 -in p256.PEM -scrypt -scrypt_N 1024 -passout "pass:$secret" -out p256.PKCS8-scrypt.locked
{ openssl ecparam -name secp384r1; cat p384.PEM; } >p384.PEM-parameters
openssl genpkey -algorithm ed25519 -out openssl.PKCS8
openssl pkcs8 -topk8 -in openssl.PKCS8 -passout "pass:$secret" -out openssl.PKCS8.locked
blob=$({ printf '\0\0\0\013ssh-ed25519\0\0\0\040'; openssl pkey -in openssl.PKCS8 -pubout -outform DER | tail -c 32; } | base64 -w0)
echo "ssh-ed25519 $blob" >openssl.pub

# What nobody here can sign with.
openssl genpkey -algorithm ed448 -out unsupported.ed448
openssl ecparam -genkey -noout -name secp256k1 -out unsupported.secp256k1

cd ../certificate
ssh-keygen -q -t ed25519 -N '' -C authority -f ca
ssh-keygen -q -t rsa -b 2048 -N '' -C old -f rsa-ca
certify() { # name, options of ssh-keygen
    name=$1; shift
    cp ../private/ed25519.pub "$name.pub"
    ssh-keygen -q -I "$name" "$@" "$name.pub"
    rm "$name.pub"
}
certify host -s ca -h -n 'host.example.org,*.wild.example.org,192.0.2.7' -V always:forever
certify host-dated -s ca -h -n host.example.org -V 20200101000000Z:20210101000000Z
certify host-nameless -s ca -h -V always:forever
certify host-critical -s ca -h -n host.example.org -O critical:unheard-of=x
certify host-sha1 -s rsa-ca -t ssh-rsa -h -n host.example.org
certify host-rsa-ca -s rsa-ca -h -n host.example.org -V always:forever
certify user -s ca -n alice,bob -V always:forever -z 42
cp ../private/p256.pub host-p256.pub && ssh-keygen -q -s ca -I host-p256 -h -n host.example.org host-p256.pub && rm host-p256.pub
rm ca rsa-ca

# What a user's certificate can say, by another authority.
ssh-keygen -q -t ed25519 -N '' -C users -f user-ca
allow() { # name, options of ssh-keygen
    name=$1; shift
    certify "$name" -s user-ca "$@"
}
allow user-plain -n ada,grace
allow user-full -n ada -z 7 -O force-command=/bin/date -O source-address=192.0.2.0/24,2001:db8::/32 -O verify-required
allow user-clear -n ada -O clear
allow user-forwards -n ada -O clear -O permit-port-forwarding
allow user-untouched -n ada -O no-touch-required
allow user-dated -n ada -V 20200101000000Z:20210101000000Z
allow user-nameless
allow user-wild -n 'a*'
allow user-critical -n ada -O critical:unheard-of@example.org=x
allow user-extension -n ada -O extension:unheard-of@example.org=x
allow user-misplaced -n ada -O extension:permit-pty=x
allow user-nowhere -n ada -O critical:source-address=elsewhere
rm user-ca

cd ..
rm -rf revoked && mkdir revoked && cd revoked
revoke() { # name, authority or nothing, specification
    printf '%s\n' "$3" >spec
    ssh-keygen -q -k -f "$1.krl" ${2:+-s "$2"} spec
    rm spec
}
ca=../certificate/ca.pub
key=$(cut -d' ' -f1,2 ../private/ed25519.pub)
revoke keys '' "key: $key"
revoke sha1 '' "sha1: $key"
revoke sha256 '' "sha256: $key"
revoke authority '' "key: $(cut -d' ' -f1,2 $ca)"
revoke serial $ca 'serial: 42'
revoke range $ca 'serial: 40-1000'
revoke bitmap $ca "$(for serial in 30 33 36 39 42 45 47 51 54 99; do echo "serial: $serial"; done)"
revoke other-serials $ca "$(printf 'serial: 41\nserial: 43-99\nserial: 101\nserial: 103')"
revoke key-id $ca 'id: host'
revoke any-authority none 'id: user'
revoke empty '' ''
