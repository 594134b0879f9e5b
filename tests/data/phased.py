"""A small phased variant file, and the haplotypes that it gives, written by hand."""

from akita_bayes.data import genome

#             0         1         2
#             0123456789012345678901234567
REFERENCE = {"chr1": "ACGTACGTACGTACGTACGTACGTACGT", "chrX": "AAAACCCC"}

RECORDS = (
    ("chr1", 2, "C", "T", "1|0"),  # SNV on haplotype 1
    ("chr1", 4, "T", "TGG", "1|1"),  # insertion of GG after base 3 (from 0) on both
    ("chr1", 8, "TACG", "T", "0|1"),  # deletion of bases 8..10 on haplotype 2
    ("chr1", 10, "C", "A", "1|1"),  # lies in the deletion of haplotype 2
    ("chr1", 15, "G", "A", "0/1"),  # not phased
    ("chr1", 17, "A", "<DEL>", "0|1"),  # not letters
    ("chr1", 19, "G", "C,T", "1|2"),  # both alternative alleles
    ("chr1", 21, "A", "G", "./1"),  # one allele is not called
    ("chr1", 23, "G", "GA", "0/0"),  # REF
    ("chrX", 5, "C", "G", "1"),  # haploid
)

# chr1: ACGT ACGT ACGT ACGT ACGT ACGT ACGT with edits in brackets
HAPLOTYPES = (
    {"chr1": "A[T]GT[GG]ACGTA[A]GTACGTAC[C]TACGTACGT", "chrX": "AAAA[G]CCC"},
    {"chr1": "ACGT[GG]ACGT[]TACGTAC[T]T[G]CGTACGT", "chrX": "AAAA[G]CCC"},
)


def haplotype(number, chrom):
    """Returns the letters of haplotype 1 or 2."""
    return HAPLOTYPES[number - 1][chrom].translate({ord("["): None, ord("]"): None})


def write_vcf(path, records=RECORDS, sample="HG1", sizes=None):
    """Writes a VCF of one sample."""
    sizes = sizes or {chrom: len(letters) for chrom, letters in REFERENCE.items()}
    lines = ["##fileformat=VCFv4.3"]
    lines += [f"##contig=<ID={chrom},length={size}>" for chrom, size in sizes.items()]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ['##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">']
    lines += ['##INFO=<ID=END,Number=1,Type=Integer,Description="End">']
    lines += ['##ALT=<ID=DEL,Description="Deletion">']
    lines += ["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + sample]
    for chrom, pos, ref, alt, genotype in records:
        form = "GT:PS" if ":" in genotype else "GT"
        lines.append(f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\t{form}\t{genotype}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_genome(path, letters=None):
    """Writes the reference."""
    genome.write_fasta(path, letters or REFERENCE)
    return path
