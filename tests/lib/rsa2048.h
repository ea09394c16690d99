/*
 * rsa2048.h: one RSA key for all tests: to make one takes longer than most
 * tests, and under valgrind for ever. It protects nothing.
 */
#ifndef COUPLET_TEST_RSA2048_H
#define COUPLET_TEST_RSA2048_H

static const char rsa2048_pem[] =
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIIEpAIBAAKCAQEAme4f/fjK9tV3BRDknp7tIDZSLRBhHUjjR01w03eXbe/pOA4j\n"
	"B+BzirNL6X5G+tt/yetqVYgNzKzgViLpRjA7xHRV7k5tEO+IxvFmFgDDQM1BWYkb\n"
	"oy1pl3hOmK1R5fY0k/V6gdQtfWqCi3+TQWQ4S3oallwhsgEv1fo5y51rBnhtv4uu\n"
	"uMrqAqYIMo8GwAxZgirqnimV/M9Ai7NjQH/bzrrQLvkl1pM8MR80LYOD4QvpgJN7\n"
	"vVkCgGh1233rx6c+0KeUf41LN7szmg4dvbLQT4LvmAvPMbRdm6nB5YSpouMWkpk1\n"
	"D/Vi+TbL05IxQjxBfNi74BDQk8APRo/tMxJZ+QIDAQABAoIBAALOOsoLv1NJZ75x\n"
	"ZOFZPzQvmUbV/hclDXNuv2gzTVDFJyiM5WmO1zxHcVJDqXKIDqe1AT6m2K2K1xnq\n"
	"z/qmBWjav/g0eLtuyjzqCHTNNcHYG+FQZO8P9FU87Z3NxujcmG+78SwtnFilWNTH\n"
	"Ef2GoJoLkzF7Y2fVqrQJOAV0jI9VGlpq8BTMGk8nsMlu1HbSw5TMblUtkONBrHDV\n"
	"VZFF12ayVwNR+kpXCGByrVvi+tnKzsfPvM6eyaVbdRNPSISQqOAgkC2OfGsQy5UW\n"
	"ui8yt+BXkQo8W0lLFJWogO/uekDJ856FNZb4ocFLNEN7coKMcUZODVM5rJNPCMBk\n"
	"vAVi8oECgYEAyDR6pnOHQa/fl6r9FeWnQxi2M57xMqNodmJeIadQVSHwPeLKAv2X\n"
	"QYgtZsNbj4LbaJm0yGsrD+lNaY/Tt+n/Q83QfCIDWC8N8XZxFnj1jW4+DfpI3BpD\n"
	"cDA0fp0N5yNuDwfdY6MfpPC+bZPUw45gvZKrbvy9eebjR2cqr+fFI5kCgYEAxNQx\n"
	"ZOlj/xDfhuYqV17LA9w4JH0nA7ICBOHoMNvbeiEc7k/UWYmC2CjFsdyHKr7rQ5T/\n"
	"W7JHm8LpO+xujXt2KjTJ9N7X28UDs/cvBqQ83sgZZojH38VjBehimM8ShxNKgewR\n"
	"15oCDqG2759Hjn5lW610o7vI04SML2cPbKHI5WECgYAUMtc8++LliazxTFsEXosl\n"
	"hdS8GIkVJs9fQkVk99BvBmGKnNrsulEMV4TdHVCbhgRE5V0L62QI0uzwfYZKw9zx\n"
	"Jk6md3gG6ZhqiByYu9NqVXkFR/8Z1byAERz6uTWx4C02bwCzEL4ckf1kaMnKgQ7Z\n"
	"kXaiV/V12wmLJqlz3dpR4QKBgQCjrmI1LPF/V6TLJfToG2hwmV4G2hzrsciEDuls\n"
	"WCk4cvkAJVrN6tDouV9N/bpaDdLPrMR+mM979KbIsmFtPtKRXrzj6b1QgZIGwvRU\n"
	"bZhBG94jqnOs3xTuAMadlPYvZhd727kqtmQnjsv2kVqMYQghKSnqT2s+mueJNAdb\n"
	"q17JgQKBgQCpcuZL0IqVugXg5F85xWmy+nsB2oyF8sODlQKaltMhXsBCLgtI5cC/\n"
	"Fz9yuWMxb+rdjgakmjmZkTNxoIl8tJ4yrz3HmqtKWSDxyJti8h1fRZa2WPDP5PHh\n"
	"Zk8/j+jYo4nJYCAmlPNS7eZBSF9S2rtQGPBS8Z/vm4DtVxe8HOzvTg==\n"
	"-----END RSA PRIVATE KEY-----\n";

#endif
