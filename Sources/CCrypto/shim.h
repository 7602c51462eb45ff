#pragma once
// SHA1_Init and its like are marked as deprecated in favour of EVP, which looks the algorithm up and allocates for every
// digest. The opening handshake needs one digest of 60 bytes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
