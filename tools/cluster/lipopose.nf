// A Nextflow process: one task per shard, all into one folder on the shared file system, so that
// -resume and retries do only what is left.
//
//   nextflow run tools/cluster/lipopose.nf --in /data/grid1 --out /data/grid1_out --shards 16
nextflow.enable.dsl = 2

params.in = null
params.out = null
params.shards = 4
params.options = ''

process LIPOPOSE_SEGMENT {
    tag "shard ${index}/${params.shards}"
    cpus 4
    memory '8 GB'
    time '4h'
    // 1: some images cannot be read, which gather names; the others are done.
    errorStrategy { task.exitStatus > 128 ? 'retry' : 'terminate' }
    maxRetries 5

    input:
    tuple val(index), val(images), val(results)

    output:
    val index

    script:
    """
    lipopose segment --shard ${index}/${params.shards} --threads ${task.cpus} \\
        --savedir '${results}' ${params.options} '${images}' || [ \$? -eq 1 ]
    """
}

process LIPOPOSE_GATHER {
    input:
    val indices
    val results

    output:
    stdout

    script:
    """
    lipopose gather '${results}' 2>&1 || [ \$? -eq 1 ]
    """
}

workflow {
    if (!params.in || !params.out) error 'give --in FOLDER and --out FOLDER'
    images = file(params.in).toAbsolutePath().toString()
    results = file(params.out).toAbsolutePath().toString()
    done = LIPOPOSE_SEGMENT(Channel.of(1..params.shards).map { i -> [i, images, results] })
    LIPOPOSE_GATHER(done.collect(), results).view()
}
